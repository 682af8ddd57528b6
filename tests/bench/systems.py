"""The systems that are measured beside each other: how each is started, and the load generator's command for it.

A load generator takes --address and its like, which stand here, and then what suite.py adds: --workload, --clients,
--object, --seconds, --warm-up-seconds. It prints one JSON line (load.hpp).
"""

import contextlib
import ctypes
import glob
import json
import os
import re
import secrets
import select
import signal
import subprocess
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # the distribution's CPython, whatever else stands first in PATH
CPYTHON_LOAD = [PYTHON, os.path.join(HERE, "cpython_load.py")]
READY_SECONDS_MAX = 20

TANDEM = ("tandem-ring", "tandem-unix", "tandem-tcp")
# With a journal, which is what Redis calls an append-only file.
KEPT = ("tandem-disk", "tandem-process", "redis-always", "redis-everysec")
SYSTEMS = TANDEM + ("cpython-manager", "cpython-native", "redis-unix", "boost-interprocess", "raw-unix", "raw-ring") + KEPT


def end_with_parent():
    """Runs in a child before exec: whatever kills the suite, no server and no client stays behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def start_server(stack, command, **options):
    """Starts a server that is stopped when the stack unwinds."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent, **options)

    def stop():
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    stack.callback(stop)
    return server


def first_line(server, what):
    """The line by which a server says that it is ready."""
    if not select.select([server.stdout], [], [], READY_SECONDS_MAX)[0]:
        raise RuntimeError(f"{what} did not become ready")
    line = server.stdout.readline().decode()
    if not line:
        raise RuntimeError(f"{what} ended before it was ready")
    return line.strip()


class Place:
    """Where the programs are, and where sockets and other files may be put."""

    def __init__(self, stack, directory, binaries):
        self.stack, self.directory, self.binaries = stack, directory, binaries
        self.servers = {}  # the process of a system's server

    def program(self, name):
        return os.path.join(self.binaries, name)

    def path(self, name):
        return os.path.join(self.directory, name)


def authkey_file(place):
    path = place.path("authkey")
    if not os.path.exists(path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return path


def tandem_has_ring(place):
    told = subprocess.run([place.program("tandemd"), "--help"], capture_output=True, text=True, check=False).stdout
    return "--no-ring" in told


def start_tandemd(place, name, served, *flags):
    """Gives the addresses of its ready line, that of the debug endpoint at the end. `served`: the systems it is for."""
    server = start_server(place.stack, [place.program("tandemd"), "--listen", f"unix:{place.path(name)}", "--authkey-file",
                                        authkey_file(place), "--log-level", "warning", *flags], stdout=subprocess.PIPE)
    place.servers.update(dict.fromkeys(served, server))
    return re.findall(r"(?:unix:|tcp://|http://)\S+", first_line(server, "tandemd"))


def tandem_load(place, address):
    return [place.program("bench_tandem"), "--authkey-file", authkey_file(place), "--address", address]


def has_ring(sessions):
    """Whether one of the sessions, as the debug endpoint tells of them, has a channel that goes by a ring."""
    return any(session.get("paths", {}).get("ring") for session in sessions["sessions"])


def check_ring(endpoint, load):
    """A client that is refused a ring goes on by its socket, and its figures would be another system's."""
    look = load + ["--workload", "dict_get", "--clients", "1", "--object", "look", "--seconds", "2",
                   "--warm-up-seconds", "0.1"]
    client = subprocess.Popen(look, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              preexec_fn=end_with_parent)
    try:
        while client.poll() is None:
            with urllib.request.urlopen(f"http://{endpoint}/sessions", timeout=READY_SECONDS_MAX) as answer:
                if has_ring(json.load(answer)):
                    return
            time.sleep(0.02)
    finally:
        client.terminate()
        client.wait()
    raise RuntimeError("tandem-ring: the clients do not go by a ring")


def start_tandem_ring(place):
    """Clients on the same host get a ring by themselves."""
    unix, endpoint = start_tandemd(place, "ring.sock", ("tandem-ring",), "--debug", "127.0.0.1:0")
    load = tandem_load(place, unix)
    check_ring(endpoint.removeprefix("http://"), load)
    return load


def start_tandem_sockets(place):
    """One tandemd with both listeners, and no ring."""
    flags = ["--no-ring"] if tandem_has_ring(place) else []
    unix, tcp = start_tandemd(place, "tandem.sock", ("tandem-unix", "tandem-tcp"), "--listen", "tcp://127.0.0.1:0", *flags)
    return {"tandem-unix": tandem_load(place, unix), "tandem-tcp": tandem_load(place, tcp)}


def start_cpython(place):
    server = start_server(place.stack, CPYTHON_LOAD + ["serve"], stdout=subprocess.PIPE)
    return CPYTHON_LOAD + ["--address", first_line(server, "CPython's manager")]


def start_tandem_kept(place, level, *flags):
    """With a journal at this level."""
    unix, = start_tandemd(place, f"{level}.sock", (f"tandem-{level}",), "--journal", place.path(f"journal-{level}"),
                          "--journal-level", level, *flags)
    return tandem_load(place, unix)


def start_redis(place, name="redis-unix", fsync=None):
    """`fsync`: appendfsync of its append-only file; None: it has none."""
    path = place.path(f"{name}.sock")
    directory = place.path(name)
    os.mkdir(directory)
    kept = ["--appendonly", "yes", "--appendfsync", fsync] if fsync else ["--appendonly", "no"]
    server = start_server(place.stack, ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", *kept, "--dir",
                                        directory], stdout=subprocess.DEVNULL)
    place.servers[name] = server
    give_up = time.monotonic() + READY_SECONDS_MAX
    ping = ["redis-cli", "-s", path, "ping"]
    while subprocess.run(ping, capture_output=True, text=True, check=False).stdout.strip() != "PONG":
        if server.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError("redis-server did not become ready")
        time.sleep(0.02)
    return [place.program("bench_redis"), "--address", path]


def start_boost(place):
    """No server; but what a client that was killed left in shared memory has to go."""
    prefix = f"tandem-bench-{os.getpid()}-"

    def remove_segments():
        for path in glob.glob(f"/dev/shm/{prefix}*"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    place.stack.callback(remove_segments)
    return [place.program("bench_boost"), "--address", prefix]


def start_raw(place, kind):
    path = place.path(f"raw.{kind}")
    server = start_server(place.stack, [place.program("bench_raw"), "serve", kind, path], stdout=subprocess.PIPE)
    first_line(server, "bench_raw")
    return [place.program("bench_raw"), "--address", f"{kind}:{path}"]


def start(place, wanted):
    """The load generators' commands of those `wanted` systems that there are, in the order of SYSTEMS."""
    loads = {}
    if "tandem-ring" in wanted and tandem_has_ring(place):
        loads["tandem-ring"] = start_tandem_ring(place)
    if {"tandem-unix", "tandem-tcp"} & set(wanted):
        loads.update(start_tandem_sockets(place))
    if "cpython-manager" in wanted:
        loads["cpython-manager"] = start_cpython(place)
    if "cpython-native" in wanted:
        loads["cpython-native"] = CPYTHON_LOAD + ["--native"]
    if "redis-unix" in wanted:
        loads["redis-unix"] = start_redis(place)
    if "boost-interprocess" in wanted:
        loads["boost-interprocess"] = start_boost(place)
    for kind in ("unix", "ring"):
        if f"raw-{kind}" in wanted:
            loads[f"raw-{kind}"] = start_raw(place, kind)
    if "tandem-disk" in wanted:
        loads["tandem-disk"] = start_tandem_kept(place, "disk")
    if "tandem-process" in wanted:
        loads["tandem-process"] = start_tandem_kept(place, "process", "--no-ring")
    for fsync in ("always", "everysec"):
        if f"redis-{fsync}" in wanted:
            loads[f"redis-{fsync}"] = start_redis(place, f"redis-{fsync}", fsync)
    return {system: loads[system] for system in SYSTEMS if system in loads and system in wanted}
