#!/usr/bin/env python3
"""Run a program and compare what it prints with what is expected.

    check.py EXPECTED [--tandemd TANDEMD] [--grace SECONDS] PROGRAM [ARG...] [++ PROGRAM [ARG...]]...

EXPECTED is a text file: each line is a regular expression for one whole line of output. The lines between a
line "{" and a line "}" may be printed in any order. Programs separated by "++" run one after the other and
their output is taken together. With --tandemd a manager is started on a private unix socket first, and the
programs find it through TANDEM_ADDRESS and TANDEM_AUTHKEY_FILE.

The check fails if the output differs, if a program's exit status is not 0, or if any process started on the
way is still there --grace seconds (default 20) after the last program has ended.
"""

import ctypes
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36


def parse_expected(text):
    """A list of groups; the lines of a group match in any order."""
    groups, open_group = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            if open_group is not None:
                raise ValueError(f"line {number}: a group inside a group")
            open_group = []
        elif line == "}":
            if open_group is None:
                raise ValueError(f"line {number}: '}}' without '{{'")
            groups.append(open_group)
            open_group = None
        elif open_group is not None:
            open_group.append(line)
        else:
            groups.append([line])
    if open_group is not None:
        raise ValueError("a group is not closed")
    return groups


def unmatched_pattern(patterns, lines):
    """The first pattern that finds no line of its own, or None. Several patterns may fit a line, so lines are
    handed on from pattern to pattern where that helps (bipartite matching)."""
    owner = {}

    def assign(pattern, seen):
        for at, line in enumerate(lines):
            if at in seen or not re.fullmatch(patterns[pattern], line):
                continue
            seen.add(at)
            if at not in owner or assign(owner[at], seen):
                owner[at] = pattern
                return True
        return False

    for pattern in range(len(patterns)):
        if not assign(pattern, set()):
            return patterns[pattern]
    return None


def difference(groups, lines):
    """What is wrong with the output, or None."""
    at = 0
    for group in groups:
        part = lines[at:at + len(group)]
        pattern = unmatched_pattern(group, part)
        if pattern is not None:
            where = f"line {at + 1}" if len(group) == 1 else f"lines {at + 1} to {at + len(group)}"
            return f"{where}: nothing matches {pattern!r}"
        at += len(group)
    if at < len(lines):
        return f"line {at + 1}: nothing more was expected, got {lines[at]!r}"
    return None


def reap_descendants(grace_s):
    """Wait until every process below this one is gone; returns the command lines of those that are not."""
    deadline = time.monotonic() + grace_s
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if pid == 0:
            if time.monotonic() > deadline:
                return kill_children()
            time.sleep(0.005)


def kill_children():
    killed = []
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        for pid in map(int, file.read().split()):
            with open(f"/proc/{pid}/cmdline") as command:
                killed.append(f"{pid} {command.read().replace(chr(0), ' ').strip()}")
            os.kill(pid, signal.SIGKILL)
    return killed


def start_manager(tandemd, directory):
    """Start tandemd on a socket in the directory; returns the process once it says that it is ready."""
    key = os.path.join(directory, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    address = f"unix:{directory}/socket"
    manager = subprocess.Popen([tandemd, "--listen", address, "--authkey-file", key],
                               stdout=subprocess.PIPE, text=True)
    if not manager.stdout.readline():
        raise RuntimeError(f"tandemd ended with status {manager.wait()} before it was ready")
    os.environ["TANDEM_ADDRESS"] = address
    os.environ["TANDEM_AUTHKEY_FILE"] = key
    return manager


def run_all(commands, tandemd, grace_s):
    """Run the commands in order; returns (their standard output, a list of what went wrong)."""
    problems = []
    with tempfile.TemporaryDirectory(prefix="tandem-") as directory, tempfile.TemporaryFile("w+") as output:
        manager = start_manager(tandemd, directory) if tandemd else None
        for command in commands:
            status = subprocess.run(command, stdout=output, stdin=subprocess.DEVNULL).returncode
            if status != 0:
                problems.append(f"{' '.join(command)}: exit status {status}")
        if manager:
            manager.terminate()
            if manager.wait() != 0:
                problems.append(f"tandemd: exit status {manager.returncode} after SIGTERM")
        for process in reap_descendants(grace_s):
            problems.append(f"left behind: process {process}")
        output.seek(0)
        return output.read(), problems


def main(arguments):
    expected, rest = arguments[0], arguments[1:]
    options = {"--tandemd": "", "--grace": "20"}
    while rest and rest[0] in options:
        options[rest[0]], rest = rest[1], rest[2:]
    commands = [[]]
    for word in rest:
        if word == "++":
            commands.append([])
        else:
            commands[-1].append(word)

    with open(expected) as file:
        groups = parse_expected(file.read())
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    output, problems = run_all(commands, options["--tandemd"], float(options["--grace"]))
    wrong = difference(groups, output.splitlines())
    if wrong:
        problems.insert(0, wrong)
    if problems:
        print(f"output:\n{output}", end="" if output.endswith("\n") else "\n")
    for problem in problems:
        print(f"{expected}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
