#!/usr/bin/env python3
"""The structure check must be able to say no: small bad trees, each with the complaint it deserves."""

import os
import tempfile
import unittest

import methods
import structure

GOOD = {
    "CMakeLists.txt": "",
    "README.md": "",
    ".gitignore": "/build/",
    "build/bin/tandemd": "",
    "include/tandem/json.hpp": "#pragma once\n#include <string>\n#include <nlohmann/json.hpp>\n",
    "include/tandem/manager.hpp": '#pragma once\n#include "tandem/proxy/list.hpp"\n',
    "client/common/crypto.cpp": "#include <tandem/error.hpp>\n#include <openssl/evp.h>\n",
    "client/cli/main.cpp": '#include "client/session/header.hpp"\n#include <CLI/CLI.hpp>\n',
    "server/engine/engine.cpp": '#include "server/structures/header.hpp"\n#include <cstdio>\n'
                                "// No steady_clock.\nint snprintf();\n",
    "server/objects/list.cpp": '#include "server/engine/header.hpp"\n',
    "server/session/session.cpp": '#include "server/engine/header.hpp"\n#include <mutex>\n',
    "server/transport/accept.cpp": '#include "server/session/header.hpp"\n#include <asio.hpp>\n',
    "server/main.cpp": '#include "server/session/header.hpp"\n',
    "tests/server/engine/engine_test.cpp": '#include "server/engine/header.hpp"\n#include <gtest/gtest.h>\n',
    "examples/manager.cpp": "#include <tandem/error.hpp>\n",
}
# Every folder and file that a rule names is there.
for folder in structure.MAY_INCLUDE:
    if folder != structure.BASE:
        GOOD.setdefault(f"{folder}/header.hpp", "#pragma once\n")
for path in [*structure.BASE_FILES, *structure.MAY_INCLUDE_ALSO, structure.ASIO_HEADER, "include/tandem/proxy/list.hpp"]:
    GOOD.setdefault(path, "#pragma once\n")


class StructureTest(unittest.TestCase):
    def problems(self, changes):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**GOOD, **changes}.items():
                if text is None:
                    continue
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w") as file:
                    file.write(text)
            return structure.check(root)

    def refuses(self, problem, changes):
        found = self.problems(changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(problem, found[0])

    def test_good_tree(self):
        self.assertEqual(self.problems({}), [])

    def test_top_level(self):
        self.refuses("notes.txt: does not belong", {"notes.txt": ""})
        self.refuses("scripts: does not belong", {"scripts/build.sh": ""})
        self.refuses("README.md: is missing", {"README.md": None})
        self.refuses("README.md: is longer than 150 lines", {"README.md": "a line\n" * 151})

    def test_includes_that_point_the_wrong_way(self):
        for folder, target in [
            ("include/tandem/wire", "include/tandem/codec"), ("include/tandem/codec", "include/tandem/proxy"),
            ("include/tandem/ops", "include/tandem"), ("include/tandem/proxy", "client/session"),
            ("include/tandem", "server/engine"),
            ("client/os", "client/common"), ("client/common", "client/transport"),
            ("client/transport", "client/session"), ("client/session", "client/calls"),
            ("client/calls", "client/process"), ("client/process", "client/pool"), ("client/session", "server/engine"),
            ("client/cli", "server/engine"),
            ("server/values", "server/structures"), ("server/structures", "server/engine"),
            ("server/engine", "server/session"), ("server/engine", "client/os"), ("server/objects", "server/session"),
            ("server/session", "client/session"), ("server/debug", "server/session"),
            ("server/transport", "server/debug"), ("server", "client/transport"), ("examples", "client/session"),
        ]:
            with self.subTest(folder=folder, target=target):
                name = f"{target}/header.hpp".removeprefix("include/")
                self.refuses(f"{folder} may not include {target} ", {f"{folder}/bad.cpp": f'#include "{name}"\n'})

    def test_relative_includes_are_seen_through(self):
        self.refuses("server/engine may not include server/session",
                     {"server/engine/step.cpp": '#include "../session/header.hpp"\n'})

    def test_files_that_may_include_more(self):
        include = '#include "client/transport/header.hpp"\n'
        self.assertEqual(self.problems({"server/connect.cpp": include}), [])

    def test_rules_and_folders_belong_together(self):
        self.refuses("client/cache: a folder of sources that", {"client/cache/cache.hpp": "#pragma once\n"})
        self.refuses("server/debug: tests/structure/structure.py has a rule for it", {"server/debug/header.hpp": None})
        self.refuses("server/connect.cpp: tests/structure/structure.py names it", {"server/connect.cpp": None})

    def test_what_comes_by_another_header(self):
        found = self.problems({"include/tandem/text.hpp": '#pragma once\n#include "tandem/json.hpp"\n',
                               "server/values/value.hpp": '#pragma once\n#include "tandem/text.hpp"\n'})
        self.assertEqual(len(found), 1, found)
        self.assertIn("<nlohmann/json.hpp> has no place in server/values; it comes by "
                      "server/values/value.hpp > include/tandem/text.hpp > include/tandem/json.hpp", found[0])

    def test_heavy_public_headers(self):
        for name in ["asio.hpp", "asio/ip/tcp.hpp", "openssl/evp.h", "spdlog/spdlog.h", "fmt/format.h",
                     "httplib.h"]:
            with self.subTest(name=name):
                text = f"#pragma once\n#include <{name}>\n"
                self.refuses(f"<{name}> has no place", {"include/tandem/heavy.hpp": text})

    def test_asio_stays_in_its_header(self):
        header = {"include/tandem/async.hpp": "#pragma once\n#include <asio/post.hpp>\n"}
        self.assertEqual(self.problems(header), [])
        self.refuses("has no place in another public header",
                     {**header, "include/tandem/heavy.hpp": '#pragma once\n#include "tandem/async.hpp"\n'})
        self.refuses("<fmt/format.h> has no place",
                     {"include/tandem/async.hpp": "#pragma once\n#include <fmt/format.h>\n"})

    def test_the_engine_knows_no_world(self):
        for line in ["#include <thread>", "#include <mutex>", "#include <asio.hpp>", "#include <sys/socket.h>",
                     "#include <nlohmann/json.hpp>", "auto now = std::chrono::steady_clock::now();",
                     "std::random_device seed;", 'std::printf("here");']:
            for folder in structure.PURE:
                with self.subTest(line=line, folder=folder):
                    self.refuses(f"has no place in {folder}", {f"{folder}/bad.cpp": line + "\n"})

    def test_includes_that_lead_nowhere(self):
        self.refuses("is no file of this tree", {"client/lost.cpp": '#include "client/gone.hpp"\n'})

    def test_header_without_guard(self):
        self.refuses("#pragma once", {"client/twice.hpp": "int f();\n"})


class MethodsTest(unittest.TestCase):
    def untested(self, test):
        files = {"include/tandem/proxy/box.hpp": "class Box {\n public:\n  void open() const;\n  template <class R>\n"
                                                 "  R look() const { return R(); }\n private:\n  void hinge();\n};\n",
                 "tests/contract/box_test.cpp": test}
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
                with open(f"{root}/{path}", "w", encoding="utf-8") as file:
                    file.write(text)
            return methods.untested(root)

    def test_methods_that_no_test_calls_are_found(self):
        self.assertEqual(self.untested("box.open(); box->look<int>();"), ([], 2))
        self.assertEqual(self.untested("box.open(); look(); opener.looks();"), ([("Box", "look", "tests/contract/box_test.cpp")], 2))


if __name__ == "__main__":
    unittest.main()
