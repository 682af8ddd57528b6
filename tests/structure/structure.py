#!/usr/bin/env python3
"""The shape of the tree, checked: which folders there are and which way their includes point.

    structure.py ROOT

Prints one line per violation and exits with 1 if there is any.

    include/tandem         <-  everything
    client                 ->  include
    client/cli             ->  client, include
    server/engine          ->  include
    server/objects         ->  server/engine, include
    server/session, server/journal, server/debug  ->  server/engine, include
    server/transport       ->  server/session, server/engine, include
    server (its own files) ->  all of server, client and include: the place where the parts meet
    examples               ->  include
    tests                  ->  everything
"""

import os
import re
import sys

TOP_LEVEL = {"server", "client", "include", "tests", "examples", "CMakeLists.txt", "README.md"}
TOP_LEVEL_IGNORED = {"build"}

# Folder -> the folders its files may include from, besides itself. The longest prefix of a file's path
# decides.
MAY_INCLUDE = {
    "include": [],
    "client": ["include"],
    "client/cli": ["client", "include"],
    "server/engine": ["include"],
    "server/objects": ["server/engine", "include"],
    "server/session": ["server/engine", "include"],
    "server/journal": ["server/engine", "include"],
    "server/debug": ["server/engine", "include"],
    "server/transport": ["server/session", "server/engine", "include"],
    "server": ["server/engine", "server/objects", "server/session", "server/journal", "server/debug",
               "server/transport", "client", "include"],
    "examples": ["include"],
    "tests": ["server", "server/engine", "server/objects", "server/session", "server/journal", "server/debug",
              "server/transport", "client", "client/cli", "include", "examples"],
}

# Public headers stay light: what a worker includes drags in none of these.
HEAVY = r"(boost/|asio|openssl/|spdlog/|fmt/|httplib|CLI/|msgpack|sqlite3|gtest/|gmock/|benchmark/)"
# But for this one, whose purpose Asio is: it may include that, and no other public header includes it.
ASIO_HEADER = "include/tandem/async.hpp"
# The engine is a state machine: no I/O, clock, threads or JSON, so that the same inputs give the same
# replies.
WORLD = (r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token|atomic|"
         r"ctime|iostream|fstream|filesystem|random|unistd\.h|time\.h|pthread\.h|sys/.*|netinet/.*|"
         r"nlohmann/.*|asio.*|openssl/.*|spdlog/.*|httplib.*|CLI/.*)$")
FORBIDDEN_SYSTEM = {
    "include": re.compile(HEAVY),
    "server/engine": re.compile(WORLD),
    "server/objects": re.compile(WORLD),
}
OUTSIDE_CALLS = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock|random_device|getpid|getenv|"
                           r"printf|puts|fopen)\b")
FORBIDDEN_TEXT = {
    "server/engine": OUTSIDE_CALLS,
    "server/objects": OUTSIDE_CALLS,
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"//.*$")


def folder_of(path):
    """The folder of MAY_INCLUDE that a file of the tree belongs to."""
    folder = os.path.dirname(path)
    while folder and folder not in MAY_INCLUDE:
        folder = os.path.dirname(folder)
    return folder


def resolve(root, includer, name):
    """The path inside the tree that an include names, or None if it is not a file of ours."""
    for base in (os.path.dirname(includer), "", "include"):
        candidate = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def check_line(root, path, line):
    """What is wrong with one line of a source file, or None."""
    folder = folder_of(path)
    include = INCLUDE.match(line)
    if not include:
        text = FORBIDDEN_TEXT.get(folder)
        found = text.search(COMMENT.sub("", line)) if text else None
        return f"{found.group()} has no place in {folder}" if found else None

    name = include.group(2)
    target = resolve(root, path, name)
    if target is None:
        if include.group(1) == '"':
            return f'"{name}" is no file of this tree; a system header is included with <>'
        if path == ASIO_HEADER and name.startswith("asio/"):
            return None
        system = FORBIDDEN_SYSTEM.get(folder)
        return f"<{name}> has no place in {folder}" if system and system.match(name) else None
    target_folder = folder_of(target)
    if folder == "include" and target == ASIO_HEADER:
        return f"{name} has no place in another public header"
    if target_folder != folder and target_folder not in MAY_INCLUDE[folder]:
        return f"{folder} may not include {target_folder} ({name})"
    return None


def source_files(root):
    for top in sorted({folder.split("/")[0] for folder in MAY_INCLUDE}):
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith((".hpp", ".cpp", ".h")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def check_includes(root):
    problems = []
    for path in source_files(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            lines = file.read().splitlines()
        for number, line in enumerate(lines, 1):
            problem = check_line(root, path, line)
            if problem:
                problems.append(f"{path}:{number}: {problem}")
        if path.endswith(".hpp") and "#pragma once" not in lines:
            problems.append(f"{path}:1: a header begins with #pragma once")
    return problems


def check_top_level(root):
    entries = {name for name in os.listdir(root) if not name.startswith(".")} - TOP_LEVEL_IGNORED
    problems = [f"{name}: does not belong at the top level" for name in sorted(entries - TOP_LEVEL)]
    return problems + [f"{name}: is missing at the top level" for name in sorted(TOP_LEVEL - entries)]


def check(root):
    return check_top_level(root) + check_includes(root)


if __name__ == "__main__":
    found = check(sys.argv[1])
    print("\n".join(found) if found else "the tree has its agreed shape")
    sys.exit(1 if found else 0)
