#!/usr/bin/env python3
"""Does what README.md says, in its order, as a new user would, in a copy of the tree.

    readme.py ROOT WORK_DIR

Everything is taken from README.md: each of its fenced blocks is run, compiled or compared, by its language:

    sh      each command runs in the copy and must succeed; tandemd runs on, once it is ready
    cpp     after a line "`FILE`:" it is that file of the tree; any other is the body of a program, which is run
    cmake   after a line "`FILE`:" it becomes that file
    text    drawings and the like
    none    what the command before has printed last, where the parts of a line may come in any order

Only tests/run.sh is left out, since it runs this test. Addresses and folders that are the whole machine's are
replaced by this run's own: 127.0.0.1, /tmp and the home folder. The times that the commands take are printed.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LEFT_OUT = {"tests/run.sh"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_BEFORE = re.compile(r"`([^`\n]+)`:\n\n?$")
FRAGMENT = """#include <tandem/tandem.hpp>
#include <cstdint>
#include <iostream>
#include <string>
int main() {
%s}
"""


class Failure(Exception):
    pass


class Block:
    def __init__(self, readme, match):
        self.language, self.text = match.groups()
        self.line = readme.count("\n", 0, match.start()) + 1
        before = FILE_BEFORE.search(readme, 0, match.start())
        self.file = before.group(1) if before else None


def commands_outside_blocks(readme, tree):
    """Commands with arguments in the running text, where this test would not run them."""
    text = FENCE.sub("", readme)
    for span in re.findall(r"`([^`\n]+)`", text):
        program, _, arguments = span.partition(" ")
        if arguments and "/" in program + arguments and (shutil.which(program) or os.path.isfile(f"{tree}/{program}")):
            yield span


def parts_of(output):
    """The lines of an output, each as its sorted parts."""
    return [sorted(re.sub(r"[{}\[\]]", "", line).split(", ")) for line in output.splitlines()]


class User:
    """What has been done so far, and with what result."""

    def __init__(self, tree, home):
        self.tree = tree
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
        self.environment["HOME"] = home
        if shutil.which("ccache"):  # what this user's tests have compiled need not be compiled again
            cache = subprocess.run(["ccache", "--get-config", "cache_dir"], capture_output=True, text=True, check=True)
            self.environment["CCACHE_DIR"] = cache.stdout.strip()
        self.printed = ""
        self.servers = []

    def run(self, command):
        result = subprocess.run(["bash", "-c", command], cwd=self.tree, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            raise Failure(f"$ {command}\nends with status {result.returncode}:\n{result.stdout[-5000:]}")
        self.printed = result.stdout

    def start(self, command):
        server = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.tree, env=self.environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.servers.append(server)
        line = server.stdout.readline()
        if " ready:" not in line:
            raise Failure(f"$ {command}\ndoes not say that it is ready, but {line!r}")

    def stop(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait()

    def sh(self, block):
        for command in re.sub(r"\\\n", " ", block.text).splitlines():
            words = shlex.split(command, comments=True)
            if not words or words[0] in LEFT_OUT:
                continue
            start = time.monotonic()
            if os.path.basename(words[0]) == "tandemd":
                self.start(command)
            else:
                self.run(command)
            print(f"{time.monotonic() - start:7.1f} s  {command}", flush=True)

    def cpp(self, block):
        if block.file is not None:
            with open(os.path.join(self.tree, block.file)) as file:
                if file.read() != block.text:
                    raise Failure(f"the block is not what {block.file} has")
            return
        with open(os.path.join(self.tree, "fragment.cpp"), "w") as file:
            file.write(FRAGMENT % block.text)
        compiler = f"{os.environ.get('CXX_LAUNCHER', '')} {os.environ.get('CXX', 'c++')}"
        self.run(f"{compiler} -std=c++20 -Iinclude -c fragment.cpp -o fragment.o && {compiler} fragment.o "
                 "-Lbuild/lib -ltandem_client -ltandem_common -lcrypto -o build/bin/fragment && build/bin/fragment")

    def cmake(self, block):
        if block.file is None:
            raise Failure("a line before the block names its file")
        with open(os.path.join(self.tree, block.file), "w") as file:
            file.write(block.text)

    def text(self, block):
        pass

    def output(self, block):
        wanted = parts_of(block.text)
        if parts_of(self.printed)[-len(wanted):] != wanted:
            raise Failure(f"the command before has printed\n{self.printed[-2000:]}")


def main():
    root, work = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    tree, home = os.path.join(work, "tree"), os.path.join(work, "home")
    os.makedirs(home)
    shutil.copytree(root, tree, symlinks=True, ignore=lambda folder, names: [
        name for name in names if folder == root and (name == "build" or (name.startswith(".") and name != ".ci"))])
    with open(os.path.join(tree, "README.md")) as file:
        readme = file.read()

    outside = list(commands_outside_blocks(readme, tree))
    if outside:
        sys.exit(f"README.md has commands outside of its blocks: {outside}")
    pid = os.getpid()
    own_address = f"127.{1 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"
    with tempfile.TemporaryDirectory(prefix="readme") as temporary:  # a short path: it has a socket
        readme = readme.replace("127.0.0.1", own_address).replace("/tmp/", temporary + "/")
        user = User(tree, home)
        try:
            for match in FENCE.finditer(readme):
                block = Block(readme, match)
                do = getattr(user, block.language or "output", None)
                try:
                    if do is None:
                        raise Failure(f"nothing is known of the language {block.language!r}")
                    do(block)
                except Failure as failure:
                    sys.exit(f"README.md:{block.line}: {failure}")
        finally:
            user.stop()


main()
