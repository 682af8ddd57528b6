#!/usr/bin/python3
"""What a journal costs, and how soon a manager is back after kill -9, beside Redis with its append-only file.

  durability.py --binaries build/bin [--megabytes 1024] [--json FILE] [--only LIST] [--repetitions 3]
                [--operations 20000] [--recovery-ms-max 10000] [--directory DIR]

  log        start after kill -9 from the log alone; Redis: from an append-only file without a preamble
  snapshot   start after kill -9 from a snapshot and a tail; Redis: from an RDB preamble and the same tail
  pause      the longest calls of two clients, which get 2 and set 5 entries each millisecond, while a snapshot is made; Redis:
             BGSAVE
  bytes      by how much the files grow for a set of 100 bytes; where tandem syncs, by 4 MiB at a time

tandem and Redis are measured in the same run, one after the other, on the same file system. Without redis-server there are
tandem's figures alone. The files that a start reads were written just before, so they come from the kernel's memory. Figures
are medians over the repetitions. Rows, as JSON: measure, what, unit, tandem, redis.
"""

import argparse
import collections
import contextlib
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
import report  # noqa: E402
import suite  # noqa: E402
from systems import end_with_parent, first_line, start_server  # noqa: E402

# `held_bytes`: what an entry counts of the megabytes that are wanted: about what it takes in the memory of either system.
Shape = collections.namedtuple("Shape", "name value_bytes held_bytes")
SHAPES = (Shape("1,000-byte values", 1000, 1100), Shape("16-byte values", 16, 110))

MEASURES = ("log", "snapshot", "pause", "bytes")
TITLES = {"log": "Start after kill -9, from the log", "snapshot": "Start after kill -9, from a snapshot and a tail",
          "pause": "While a snapshot is made", "bytes": "Growth of the files for a set of 100 bytes"}
# Levels of tandem, and what Redis calls them.
FSYNC = {"process": "everysec", "disk": "always"}
TAIL_PART = 20  # this part of the entries is written again behind the snapshot
STREAM_SECONDS = 4
WRITTEN_SECONDS = 2.5  # for so long Redis may put off a write
SECONDS_MAX = 900  # for anything
NEVER_MS = 86_400_000
AT_ONCE_MS = 100  # a large state is written again when the engine has worked for 5 ms


def bytes_of(pattern):
    return sum(os.path.getsize(path) for path in glob.glob(pattern))


def wait_until(is_so, what):
    give_up = time.monotonic() + SECONDS_MAX
    while not is_so():
        if time.monotonic() > give_up:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(0.005)


class System:
    """A server with a folder of its own, and the clients that work on it."""

    def __init__(self, stack, binaries, directory):
        self.stack, self.binaries, self.directory = stack, binaries, directory
        self.socket = os.path.join(directory, "socket")
        self.server = None
        os.makedirs(directory)

    def start(self, level, **how):
        """Returns after how many seconds it serves."""
        began = time.monotonic()
        self.launch(level, **how)
        return time.monotonic() - began

    def kill(self):
        self.server.kill()
        self.server.wait()

    def memory_mb(self):
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as file:
            return int(re.search(r"^VmRSS:\s*(\d+)", file.read(), re.MULTILINE).group(1)) / 1000

    def begin_work(self, work, **numbers):
        flags = [text for name, number in numbers.items() for text in (f"--{name}", str(number))]
        return subprocess.Popen([os.path.join(self.binaries, "bench_durability"), "--system", self.name, "--address",
                                 self.address, "--work", work, *flags],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=end_with_parent)

    def end_work(self, client):
        """Ends a stream; waits for other work."""
        out, _ = client.communicate(timeout=SECONDS_MAX)
        if client.returncode != 0:
            raise RuntimeError(f"{self.name}: a client failed")
        return json.loads(out)

    def work(self, work, **numbers):
        return self.end_work(self.begin_work(work, **numbers))

    def fill(self, shape, entries):
        self.work("fill", first=0, entries=entries, value_bytes=shape.value_bytes)

    def stream(self, shape, entries, meanwhile):
        """What the clients of a stream measure until meanwhile() returns, and what that returns."""
        client = self.begin_work("stream", entries=entries, value_bytes=shape.value_bytes)
        try:
            time.sleep(0.5)
            found = meanwhile()
            return self.end_work(client), found
        finally:
            client.kill()
            client.wait()

    def check(self, entries):
        found = self.work("count")["entries"]
        if found != entries:
            raise RuntimeError(f"{self.name} has {found} entries after a start, not {entries}")


class Tandem(System):
    name = "tandem"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.address = f"unix:{self.socket}"
        self.folder = os.path.join(self.directory, "journal")
        self.debug = None

    def launch(self, level, recovery_ms_max=NEVER_MS, **_):
        self.server = start_server(self.stack, [
            os.path.join(self.binaries, "tandemd"), "--listen", self.address, "--journal", self.folder, "--journal-level", level,
            "--recovery-ms-max", str(recovery_ms_max), "--debug", "127.0.0.1:0", "--log-level", "off"], stdout=subprocess.PIPE)
        if not select.select([self.server.stdout], [], [], SECONDS_MAX)[0]:
            raise RuntimeError("tandemd did not become ready")
        self.debug = re.search(r"http://\S+", first_line(self.server, "tandemd")).group()

    def stop(self):
        """In order, which leaves a snapshot with nothing behind it."""
        self.server.terminate()
        self.server.wait(timeout=SECONDS_MAX)

    def journal(self):
        with urllib.request.urlopen(f"{self.debug}/journal", timeout=SECONDS_MAX) as answer:
            return json.load(answer)["journal"]

    def snapshots(self):
        return set(glob.glob(f"{self.folder}/snapshot-*.tds"))

    def children(self):
        children = set()
        for path in glob.glob(f"/proc/{self.server.pid}/task/*/children"):
            with open(path, encoding="ascii") as file:
                children.update(int(child) for child in file.read().split())
        return children

    def file_bytes(self):
        return bytes_of(f"{self.folder}/journal-*")

    def fill_log(self, shape, entries):
        """A log of more than 64 MiB leads to a snapshot. If its process is killed, the next attempt is a minute later."""
        client = self.begin_work("fill", first=0, entries=entries, value_bytes=shape.value_bytes)
        while client.poll() is None:
            for child in self.children():
                os.kill(child, signal.SIGKILL)
            time.sleep(0.02)
        self.end_work(client)
        if self.snapshots():
            raise RuntimeError("tandem has made a snapshot, although its processes were killed")

    def write_snapshot(self, level, **how):
        self.stop()
        self.start(level, **how)

    def prepare_snapshot(self, level):
        self.stop()
        self.start(level, recovery_ms_max=AT_ONCE_MS)

    def make_snapshot(self):
        """One begins by itself, as soon as the clients have written a little. Returns the seconds until it is there."""
        before = self.snapshots()
        wait_until(self.children, "a snapshot to begin")
        began = time.monotonic()
        wait_until(lambda: self.snapshots() - before, "a snapshot")
        return time.monotonic() - began

    def fork_ms(self):
        return self.journal()["snapshot_pause_us"] / 1000


class Redis(System):
    name = "redis"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.address = self.socket

    def launch(self, level, preamble="yes", **_):
        self.server = start_server(self.stack, [
            "redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.directory, "--save", "", "--appendonly",
            "yes", "--appendfsync", FSYNC[level], "--aof-use-rdb-preamble", preamble, "--auto-aof-rewrite-percentage", "0"],
            stdout=subprocess.DEVNULL)
        wait_until(self.serves, "redis-server")

    def serves(self):
        if self.server.poll() is not None:
            raise RuntimeError("redis-server ended before it was ready")
        try:
            return self.ask("PING").startswith("+PONG")  # else it is still loading
        except OSError:
            return False

    def ask(self, command):
        """The first part of a reply, which is enough of it."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(SECONDS_MAX)
            link.connect(self.socket)
            link.sendall(command.encode() + b"\r\n")
            return link.recv(1 << 16).decode()

    def info(self, name):
        return int(re.search(rf"^{name}:(-?\d+)", self.ask("INFO"), re.MULTILINE).group(1))

    def file_bytes(self):
        return bytes_of(f"{self.directory}/appendonlydir/*")

    fill_log = System.fill

    def write_snapshot(self, *_, **__):
        self.ask("BGREWRITEAOF")
        wait_until(lambda: not self.info("aof_rewrite_scheduled") and not self.info("aof_rewrite_in_progress"), "BGREWRITEAOF")

    def prepare_snapshot(self, level):
        pass

    def make_snapshot(self):
        began = time.monotonic()
        self.ask("BGSAVE")
        wait_until(lambda: not self.info("rdb_bgsave_in_progress"), "BGSAVE")
        return time.monotonic() - began

    def fork_ms(self):
        return self.info("latest_fork_usec") / 1000


class Bench:
    def __init__(self, arguments, directory, stack):
        self.arguments, self.directory, self.stack = arguments, directory, stack
        self.rows = []
        self.kinds = (Tandem, Redis) if shutil.which("redis-server") else (Tandem,)

    @contextlib.contextmanager
    def fresh(self, name):
        """The systems with empty folders, which are removed at the end."""
        directory = os.path.join(self.directory, name)
        systems = [kind(self.stack, self.arguments.binaries, os.path.join(directory, kind.name)) for kind in self.kinds]
        try:
            yield systems
        finally:
            for system in systems:
                if system.server is not None:
                    system.kill()
            shutil.rmtree(directory)

    def entries(self, shape):
        return self.arguments.megabytes * 1_000_000 // shape.held_bytes

    def add_row(self, measure, what, unit, figures, digits=2, **more):
        """`figures`: by system; None where there is none."""
        figures = {name: None if figure is None else round(figure, digits) for name, figure in figures.items()}
        self.rows.append({"measure": measure, "what": what, "unit": unit, **figures, **more})
        print(f"{measure}: {what}, {unit}: {figures}", file=sys.stderr)

    def restart(self, systems, entries, **how):
        """Starts each again and again after kill -9; the medians of the seconds until it serves, and of its processor time."""
        took = {system.name: [] for system in systems}
        used = {system.name: [] for system in systems}
        for _ in range(self.arguments.repetitions):
            for system in systems:
                took[system.name].append(system.start("process", **how))
                used[system.name].append(suite.used_seconds(system.server.pid))
                system.kill()
        for system in systems:
            system.start("process", **how)
            system.check(entries)
            system.kill()
        return [{name: statistics.median(each) for name, each in figures.items()} for figures in (took, used)]

    def measure_log(self):
        how = {"preamble": "no"}
        for shape in SHAPES:
            entries = self.entries(shape)
            with self.fresh("log") as systems:
                for system in systems:
                    system.start("process", **how)
                    system.fill_log(shape, entries)
                    system.kill()
                self.add_row("log", f"{shape.name}: files", "MB", {each.name: each.file_bytes() / 1e6 for each in systems}, 0)
                seconds, used = self.restart(systems, entries, **how)
            self.add_row("log", f"{shape.name}: start", "s", seconds)
            self.add_row("log", f"{shape.name}: its processor time", "s", used)
            self.add_row("log", f"{shape.name}: records", "1/s", {name: entries / each for name, each in seconds.items()}, 0)

    def measure_snapshot(self):
        how = {"recovery_ms_max": self.arguments.recovery_ms_max}
        for shape in SHAPES:
            entries = self.entries(shape)
            with self.fresh("snapshot") as systems:
                for system in systems:
                    system.start("process", **how)
                    system.fill(shape, entries)
                    if system.name == "tandem":
                        system.kill()
                        seconds = {"tandem": system.start("process", **how)}
                        self.add_start(f"{shape.name}: start, killed at the end of filling", seconds, system.journal())
                    system.write_snapshot("process", **how)
                    system.fill(shape, entries // TAIL_PART)
                    system.kill()
                seconds, used = self.restart(systems, entries, **how)
            self.add_start(f"{shape.name}: start", seconds)
            self.add_row("snapshot", f"{shape.name}: its processor time", "s", used)
            self.add_row("snapshot", f"{shape.name}: entries", "1/s", {name: entries / each for name, each in seconds.items()}, 0)

    def add_start(self, what, seconds, journal=None):
        more = {"inputs_replayed": journal["recovered_inputs"]} if journal else {}
        bound = self.arguments.recovery_ms_max
        self.add_row("snapshot", what, "s", seconds, recovery_ms_max=bound, within=seconds["tandem"] * 1000 <= bound, **more)

    def measure_pause(self):
        shape = SHAPES[0]
        entries = self.entries(shape)
        for level in FSYNC:
            found = collections.defaultdict(lambda: collections.defaultdict(list))
            with self.fresh("pause") as systems:
                for system in systems:
                    system.start(level)
                    system.fill(shape, entries)
                    for _ in range(self.arguments.repetitions):
                        self.measure_pause_of(system, level, shape, entries, found)
                    system.kill()
            for (what, unit), figures in found.items():
                self.add_row("pause", f"{level}/{FSYNC[level]}: {what}", unit,
                             {name: statistics.median(each) if None not in each else None for name, each in figures.items()})

    @staticmethod
    def measure_pause_of(system, level, shape, entries, found):
        system.write_snapshot(level)
        quiet, _ = system.stream(shape, entries, lambda: time.sleep(STREAM_SECONDS))
        system.prepare_snapshot(level)
        beside, seconds = system.stream(shape, entries, system.make_snapshot)
        for name, times in (("without a snapshot", quiet), ("beside it", beside)):
            for operation in ("gets", "sets"):
                found[f"longest of the {operation} {name}", "ms"][system.name].append(times[operation]["max_us"] / 1000)
        found["p99.9 of the sets beside it", "ms"][system.name].append(beside["sets"]["p999_us"] / 1000)
        found["fork, as the server reports it", "ms"][system.name].append(system.fork_ms())
        found["until the snapshot is there", "s"][system.name].append(seconds)
        found["memory of the server", "MB"][system.name].append(system.memory_mb())

    def measure_bytes(self):
        for level in FSYNC:
            for clients in (1, 8):
                files = {}
                with self.fresh("bytes") as systems:
                    for system in systems:
                        system.start(level)
                        numbers = {"clients": clients, "value_bytes": 100}
                        system.work("set", operations=200, **numbers)
                        before = system.file_bytes()
                        done = system.work("set", operations=self.arguments.operations // clients, **numbers)
                        time.sleep(WRITTEN_SECONDS)
                        files[system.name] = (system.file_bytes() - before) / done["operations"]
                        system.kill()
                what = f"{level}/{FSYNC[level]}, {clients} client{'s' if clients > 1 else ''}"
                self.add_row("bytes", what, "bytes", files, 0)


def print_rows(rows):
    for measure in dict.fromkeys(row["measure"] for row in rows):
        lines = []
        for row in (row for row in rows if row["measure"] == measure):
            tandem, redis = row.get("tandem"), row.get("redis")
            said = "" if "within" not in row else f"{'within' if row['within'] else 'BEYOND'} {row['recovery_ms_max'] / 1000:g} s"
            lines.append([row["what"], row["unit"],
                          *("-" if figure is None else f"{figure:,.{0 if figure >= 1000 else 2}f}" for figure in (tandem, redis)),
                          f"{tandem / redis:.2f}" if tandem is not None and redis else "-", said])
        print(TITLES[measure])
        report.print_columns(["", "unit", "tandem", "Redis", "tandem/Redis", ""], lines)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, metavar="DIR", help="folder of tandemd and bench_durability")
    parser.add_argument("--megabytes", type=int, default=1024, help="of state (1024)")
    parser.add_argument("--repetitions", type=int, default=3, help="of starts and snapshots (3)")
    parser.add_argument("--operations", type=int, default=20_000, help="of `bytes`, by all clients together (20000)")
    parser.add_argument("--recovery-ms-max", type=int, default=10_000, help="of tandemd, for `snapshot` (10000)")
    parser.add_argument("--only", default=",".join(MEASURES), metavar="LIST", help="measures, separated by commas")
    parser.add_argument("--directory", metavar="DIR", help="for a temporary folder of journals, about five times the state")
    parser.add_argument("--json", metavar="FILE", help="writes the machine and all rows there")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if unknown := set(arguments.only) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = {**suite.describe_machine("full"), "repetitions": arguments.repetitions, "megabytes": arguments.megabytes}
    del machine["pace"]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-", dir=arguments.directory))
        bench = Bench(arguments, directory, stack)
        if Redis not in bench.kinds:
            print("There is no redis-server here, so there is nothing beside tandem.", file=sys.stderr)
        for measure in arguments.only:
            getattr(bench, f"measure_{measure}")()
    print_rows(bench.rows)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "rows": bench.rows}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"durability: {error}")
