#!/usr/bin/env python3
"""The structure check must be able to say no: small bad trees, each with the complaint it deserves."""

import os
import tempfile
import unittest

import structure

GOOD = {
    "CMakeLists.txt": "",
    "README.md": "",
    ".gitignore": "/build/",
    "build/bin/tandemd": "",
    "include/tandem/error.hpp": "#pragma once\n#include <string>\n#include <nlohmann/json.hpp>\n",
    "client/launch.hpp": "#pragma once\n#include <tandem/error.hpp>\n",
    "client/cli/main.cpp": '#include "client/launch.hpp"\n#include <CLI/CLI.hpp>\n',
    "server/engine/engine.hpp": "#pragma once\n#include <cstdio>\n// No steady_clock.\nint snprintf();\n",
    "server/objects/list.cpp": '#include "server/engine/engine.hpp"\n',
    "server/session/session.hpp": '#pragma once\n#include "server/engine/engine.hpp"\n#include <asio.hpp>\n',
    "server/transport/accept.cpp": '#include "server/session/session.hpp"\n',
    "server/debug/http.cpp": '#include "server/engine/engine.hpp"\n',
    "server/main.cpp": '#include "server/session/session.hpp"\n',
    "tests/engine/engine_test.cpp": '#include "server/engine/engine.hpp"\n#include <gtest/gtest.h>\n',
    "examples/manager.cpp": "#include <tandem/error.hpp>\n",
}


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

    def test_includes_that_point_the_wrong_way(self):
        engine = '#include "server/engine/engine.hpp"\n'
        session = '#include "server/session/session.hpp"\n'
        launch = '#include "client/launch.hpp"\n'
        for path, text, problem in [
            ("server/engine/step.cpp", '#include "../session/session.hpp"\n',
             "server/engine may not include server/session"),
            ("server/engine/step.cpp", launch, "server/engine may not include client"),
            ("server/objects/dict.cpp", session, "server/objects may not include server/session"),
            ("server/session/inbox.cpp", launch, "server/session may not include client"),
            ("server/debug/page.cpp", session, "server/debug may not include server/session"),
            ("server/journal/log.cpp", session, "server/journal may not include server/session"),
            ("server/transport/tcp.cpp", '#include "server/debug/http.hpp"\n',
             "server/transport may not include server/debug"),
            ("client/channel.cpp", engine, "client may not include server/engine"),
            ("client/cli/ls.cpp", engine, "client/cli may not include server/engine"),
            ("include/tandem/proxy/list.hpp", "#pragma once\n" + launch, "include may not include client"),
            ("include/tandem/server.hpp", "#pragma once\n" + engine, "include may not include server/engine"),
            ("examples/lock.cpp", launch, "examples may not include client"),
        ]:
            with self.subTest(path=path):
                extra = {"server/debug/http.hpp": "#pragma once\n"}
                self.refuses(problem, {**extra, path: text})

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
        self.refuses("<fmt/format.h> has no place", {"include/tandem/async.hpp": "#pragma once\n#include <fmt/format.h>\n"})

    def test_the_engine_knows_no_world(self):
        for line in ["#include <thread>", "#include <mutex>", "#include <asio.hpp>", "#include <sys/socket.h>",
                     "#include <nlohmann/json.hpp>", "auto now = std::chrono::steady_clock::now();",
                     "std::random_device seed;", 'std::printf("here");']:
            for folder in ["server/engine", "server/objects"]:
                with self.subTest(line=line, folder=folder):
                    self.refuses(f"has no place in {folder}", {f"{folder}/bad.cpp": line + "\n"})

    def test_includes_that_lead_nowhere(self):
        self.refuses("is no file of this tree", {"client/lost.cpp": '#include "client/gone.hpp"\n'})

    def test_header_without_guard(self):
        self.refuses("#pragma once", {"client/twice.hpp": "int f();\n"})


if __name__ == "__main__":
    unittest.main()
