#!/usr/bin/env python3
"""The shape of the tree, checked: which folders there are and which way their includes point.

    structure.py ROOT

Prints one line per violation and exits with 1 if there is any. The rules are the tables below.
"""

import functools
import os
import re
import sys

TOP_LEVEL = {"server", "client", "include", "tests", "examples", "CMakeLists.txt", "README.md"}
TOP_LEVEL_IGNORED = {"build"}
README_LINES_MAX = 150  # what is longer belongs into the README.md of a folder


def layers(*folders, below=()):
    """Each folder may include from those before it in the list, and from those in `below`."""
    return {folder: [*below, *folders[:i]] for i, folder in enumerate(folders)}


# The public headers on which all others are built. Those at the top of include/tandem are for users: each may include
# whatever it offers.
BASE = "include/tandem, its base"
BASE_FILES = {f"include/tandem/{name}.hpp" for name in
              ["address", "cxx20", "error", "journal_level", "json", "limits", "options", "text"]}
PUBLIC = ["include/tandem/wire", BASE, "include/tandem/ops", "include/tandem/codec", "include/tandem/call",
          "include/tandem/proxy", "include/tandem/hosted", "include/tandem"]
SHARED = ["client/os", "client/common"]
ENGINE = ["server/values", "server/structures", "server/engine"]

# Folder -> the folders its files may include from, besides itself. A file belongs to the folder that it is in.
MAY_INCLUDE = {
    **layers("include/tandem/wire", "include/tandem/ops", "include/tandem/codec", "include/tandem/call",
             "include/tandem/proxy", below=[BASE]),
    BASE: ["include/tandem/wire"],
    "include/tandem/hosted": [BASE, "include/tandem/wire", "include/tandem/ops", "include/tandem/codec"],
    "include/tandem": PUBLIC,
    "client/os": [],
    **layers("client/common", "client/transport", "client/session", "client/calls", "client", "client/process",
             "client/pool", "client/cli", below=["client/os", *PUBLIC]),
    **layers(*ENGINE, "server/objects", below=PUBLIC),
    "server/journal": [*ENGINE, *SHARED, *PUBLIC],
    "server/session": [*ENGINE, "server/journal", *SHARED, *PUBLIC],
    "server/debug": [*ENGINE, *SHARED, *PUBLIC],
    "server/transport": ["server/session", "server/journal", *ENGINE, *SHARED, *PUBLIC],
    # The place where the parts meet.
    "server": [*ENGINE, "server/objects", "server/journal", "server/session", "server/debug", "server/transport", *SHARED, *PUBLIC],
    "examples": PUBLIC,
}
# Files that may include more than their folder.
MAY_INCLUDE_ALSO = {
    # It replays journals.
    "client/cli/journal.cpp": ["server/journal", "server/objects", *ENGINE],
    "server/connect.cpp": ["client/transport"],
    "server/in_process_connector.hpp": ["client/transport"],
    "server/in_process_connector.cpp": ["client/transport"],
}
# Its files may include everything.
FREE = "tests"

# Public headers stay light: what a worker includes drags in none of these.
HEAVY = re.compile(r"(boost/|asio|openssl/|spdlog/|fmt/|httplib|CLI/|msgpack|sqlite3|gtest/|gmock/|benchmark/)")
# But for this one, whose purpose Asio is: it may include that, and no other public header includes it.
ASIO_HEADER = "include/tandem/async.hpp"
# The engine is a state machine: no I/O, clock, threads or JSON, so that the same inputs give the same
# replies. Neither does it get any by way of another header.
WORLD = re.compile(r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token|atomic|"
                   r"ctime|iostream|fstream|filesystem|random|unistd\.h|time\.h|pthread\.h|sys/.*|netinet/.*|"
                   r"nlohmann/.*|asio.*|openssl/.*|spdlog/.*|httplib.*|CLI/.*)$")
PURE = [*ENGINE, "server/objects"]
OUTSIDE_CALLS = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock|random_device|getpid|getenv|"
                           r"printf|puts|fopen)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"//.*$")


def folder_of(path):
    """The folder, as MAY_INCLUDE calls it, that a file of the tree belongs to."""
    if path.startswith(FREE + "/"):
        return FREE
    return BASE if path in BASE_FILES else os.path.dirname(path)


def resolve(root, includer, name):
    """The path inside the tree that an include names, or None if it is not a file of ours."""
    for base in (os.path.dirname(includer), "", "include"):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def forbidden_system_header(path, name):
    folder = folder_of(path)
    if folder in PURE:
        return WORLD.match(name)
    if not folder.startswith("include/"):
        return None
    return HEAVY.match(name) and not (path == ASIO_HEADER and name.startswith("asio/"))


def check_line(root, path, line):
    """What is wrong with one line of a source file, or None."""
    folder = folder_of(path)
    include = INCLUDE.match(line)
    if not include:
        found = OUTSIDE_CALLS.search(COMMENT.sub("", line)) if folder in PURE else None
        return f"{found.group()} has no place in {folder}" if found else None

    name = include.group(2)
    target = resolve(root, path, name)
    if target is None:
        if include.group(1) == '"':
            return f'"{name}" is no file of this tree; a system header is included with <>'
        return f"<{name}> has no place in {folder}" if forbidden_system_header(path, name) else None
    if folder == FREE:
        return None
    target_folder = folder_of(target)
    if folder.startswith("include/") and target == ASIO_HEADER:
        return f"{name} has no place in another public header"
    if target_folder not in [folder, *MAY_INCLUDE.get(folder, []), *MAY_INCLUDE_ALSO.get(path, [])]:
        return f"{folder} may not include {target_folder} ({name})"
    return None


def source_files(root):
    for top in sorted({folder.split("/")[0] for folder in [*MAY_INCLUDE, FREE]}):
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith((".hpp", ".cpp", ".h")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def read_lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read().splitlines()


def check_includes(root):
    problems = []
    for path in source_files(root):
        lines = read_lines(root, path)
        for number, line in enumerate(lines, 1):
            problem = check_line(root, path, line)
            if problem:
                problems.append(f"{path}:{number}: {problem}")
        if path.endswith(".hpp") and "#pragma once" not in lines:
            problems.append(f"{path}:1: a header begins with #pragma once")
    return problems


def check_reached(root):
    """System headers that have no place in a folder and get there through other headers of the tree."""

    @functools.lru_cache(maxsize=None)
    def included(path):
        found = [match for match in map(INCLUDE.match, read_lines(root, path)) if match]
        ours = [resolve(root, path, match.group(2)) for match in found]
        return ([name for name in ours if name], [m.group(2) for m, name in zip(found, ours) if not name])

    problems = []
    for path in source_files(root):
        if folder_of(path) not in PURE:
            continue
        ways = {path: path}
        queue = [path]
        for here in queue:
            ours, system = included(here)
            if here != path:
                problems += [f"{path}:1: <{name}> has no place in {folder_of(path)}; it comes by {ways[here]}"
                             for name in system if forbidden_system_header(path, name)]
            for name in ours:
                if name not in ways:
                    ways[name] = f"{ways[here]} > {name}"
                    queue.append(name)
    return problems


def check_folders(root):
    """Rules and folders belong together: none without the other."""
    used = {folder_of(path) for path in source_files(root)} - {FREE}
    return ([f"{folder}: a folder of sources that tests/structure/structure.py has no rule for"
             for folder in sorted(used - set(MAY_INCLUDE))] +
            [f"{folder}: tests/structure/structure.py has a rule for it, and there is no such folder"
             for folder in sorted(set(MAY_INCLUDE) - used)] +
            [f"{path}: tests/structure/structure.py names it, and there is no such file"
             for path in sorted([*BASE_FILES, *MAY_INCLUDE_ALSO, ASIO_HEADER])
             if not os.path.isfile(os.path.join(root, path))])


def check_top_level(root):
    entries = {name for name in os.listdir(root) if not name.startswith(".")} - TOP_LEVEL_IGNORED
    problems = [f"{name}: does not belong at the top level" for name in sorted(entries - TOP_LEVEL)]
    problems += [f"{name}: is missing at the top level" for name in sorted(TOP_LEVEL - entries)]
    if "README.md" in entries and len(list(read_lines(root, "README.md"))) > README_LINES_MAX:
        problems.append(f"README.md: is longer than {README_LINES_MAX} lines")
    return problems


def check(root):
    return check_top_level(root) + check_folders(root) + check_includes(root) + check_reached(root)


if __name__ == "__main__":
    found = check(sys.argv[1])
    print("\n".join(found) if found else "the tree has its agreed shape")
    sys.exit(1 if found else 0)
