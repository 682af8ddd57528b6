#!/usr/bin/python3
"""Starts a server of each system, runs all cells interleaved, prints the report. Called by run.sh."""

import argparse
import contextlib
import ctypes
import json
import os
import platform
import re
import secrets
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import report

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # the distribution's CPython, whatever else stands first in PATH
CPYTHON_LOAD = [PYTHON, os.path.join(HERE, "cpython_load.py")]

SYSTEMS = ("tandem-unix", "tandem-tcp", "cpython-manager", "cpython-native", "redis-unix")
SERVERS = tuple(system for system in SYSTEMS if system != "cpython-native")
# What is measured, with how many clients, on which systems. Redis has neither conditions nor pools.
WORKLOADS = {
    "dict_set": ((1, 8), SERVERS),
    "dict_get": ((1, 8), SERVERS),
    "list_push_back": ((1, 8), SERVERS),
    "counter_add": ((1, 8), SERVERS),
    "create_drop": ((1, 8), SERVERS),
    "lock_unlock": ((1, 4), SYSTEMS),
    "semaphore": ((1, 4), SYSTEMS),
    "queue_handover": ((2,), SYSTEMS),
    "queue_pingpong": ((2,), SYSTEMS),
    "condition_pingpong": ((2,), SYSTEMS[:4]),
    "pool_map": ((1,), SYSTEMS[:4]),
}

# What is no rate: how long the lock of a killed process is nobody's. The peers have nothing of the kind: a lock of
# CPython's stays locked for ever, one of Redis' until the time that was set for it is over.
HANDOVER = "killed_holder_handover"
HANDOVER_ROUNDS = {"full": 50, "quick": 10}
HANDOVER_SYSTEMS = SYSTEMS[:2]

# A cell aims at this long; --quick is for seeing that everything works and roughly where it stands.
PACE = {"full": {"seconds": 1.2, "warm_up_seconds": 0.25, "repetitions": 3},
        "quick": {"seconds": 0.3, "warm_up_seconds": 0.1, "repetitions": 1}}
READY_SECONDS_MAX = 20
CELL_SECONDS_MAX = 120
BUSY_SHARE_MAX = 0.05


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


def start_tandem(stack, directory, binaries):
    """One tandemd with both listeners; returns the load generator's command per transport."""
    authkey_file = os.path.join(directory, "authkey")
    with open(os.open(authkey_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    unix = f"unix:{directory}/tandem.sock"
    server = start_server(stack, [f"{binaries}/tandemd", "--listen", unix, "--listen", "tcp://127.0.0.1:0",
                                  "--authkey-file", authkey_file, "--log-level", "warning"],
                          stdout=subprocess.PIPE)
    line = first_line(server, "tandemd")
    tcp = re.search(r"tcp://127\.0\.0\.1:\d+", line)
    if not tcp:
        raise RuntimeError(f"no TCP address in tandemd's ready line: {line}")
    load = [f"{binaries}/bench_tandem", "--authkey-file", authkey_file, "--address"]
    return {"tandem-unix": load + [unix], "tandem-tcp": load + [tcp.group()]}


def start_cpython(stack, directory, binaries):
    del directory, binaries
    server = start_server(stack, CPYTHON_LOAD + ["serve"], stdout=subprocess.PIPE)
    return {"cpython-manager": CPYTHON_LOAD + ["--address", first_line(server, "CPython's manager")]}


def start_nothing(stack, directory, binaries):
    del stack, directory, binaries
    return {"cpython-native": CPYTHON_LOAD + ["--native"]}


def start_redis(stack, directory, binaries):
    path = f"{directory}/redis.sock"
    server = start_server(stack, ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no",
                                  "--dir", directory], stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + READY_SECONDS_MAX
    ping = ["redis-cli", "-s", path, "ping"]
    while subprocess.run(ping, capture_output=True, text=True, check=False).stdout.strip() != "PONG":
        if server.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError("redis-server did not become ready")
        time.sleep(0.02)
    return {"redis-unix": [f"{binaries}/bench_redis", "--address", path]}


STARTERS = ((start_tandem, ("tandem-unix", "tandem-tcp")), (start_cpython, ("cpython-manager",)),
            (start_nothing, ("cpython-native",)), (start_redis, ("redis-unix",)))


def run_cell(command, workload, clients, cell_number, pace):
    command = command + ["--workload", workload, "--clients", str(clients), "--object", f"bench-{cell_number}",
                         "--seconds", str(pace["seconds"]), "--warm-up-seconds", str(pace["warm_up_seconds"])]
    done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=end_with_parent, timeout=CELL_SECONDS_MAX,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError("failed: " + " ".join(command))
    return json.loads(done.stdout)


def measure(loads, workloads, pace):
    """Rows of all cells, and beside each how far its repetitions lie apart, as a share of the median.

    Systems alternate within every workload, so the machine's drift hits all of them alike.
    """
    found = {(workload, clients, system): [] for workload in workloads for clients in WORKLOADS[workload][0]
             for system in loads if system in WORKLOADS[workload][1]}
    cell_number = 0
    for repetition in range(pace["repetitions"]):
        for workload in workloads:
            for clients in WORKLOADS[workload][0]:
                systems = [system for system in loads if (workload, clients, system) in found]
                first = repetition % max(1, len(systems))
                for system in systems[first:] + systems[:first]:
                    cell_number += 1
                    result = run_cell(loads[system], workload, clients, cell_number, pace)
                    found[workload, clients, system].append(result)
                    print(f"[{repetition + 1}/{pace['repetitions']}] {workload} {clients} {system}: "
                          f"{result['ops_per_s']:,.0f} ops/s", file=sys.stderr, flush=True)
    rows, spreads = [], []
    for (workload, clients, system), results in found.items():
        medians = {key: round(statistics.median(r[key] for r in results), 2)
                   for key in ("ops_per_s", "p50_us", "p99_us")}
        rows.append({"workload": workload, "system": system, "clients": clients, "depth": 1, **medians})
        rates = [r["ops_per_s"] for r in results]
        spread = (max(rates) - min(rates)) / statistics.median(rates)
        spreads.append(f"{spread:.0%}" if len(rates) > 1 else "-")
    return rows, spreads


def measure_handover(loads, binaries, pace_name):
    """One entry for each way to reach tandem."""
    measured = []
    for system in HANDOVER_SYSTEMS:
        if system in loads:
            command = [f"{binaries}/bench_handover"] + loads[system][1:] + \
                ["--object", HANDOVER, "--rounds", str(HANDOVER_ROUNDS[pace_name])]
            done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=end_with_parent, timeout=CELL_SECONDS_MAX,
                                  check=False)
            if done.returncode != 0:
                raise RuntimeError("failed: " + " ".join(command))
            measured.append({"measure": HANDOVER, "system": system, **json.loads(done.stdout)})
    return measured


def busy_share(seconds):
    """Share of the CPUs' time that others use while this waits."""
    def times():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all; idle and waiting for I/O

    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / (all_after - all_before)


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def describe_machine(pace_name):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "busy_before": round(busy_share(1.0), 3),
        "cpython": output_of(PYTHON, "-c", "import platform; print(platform.python_version())"),
        "redis": re.sub(r".*v=(\S+).*", r"\1", output_of("redis-server", "--version")),
        "pace": pace_name,
    }


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True, help="directory of tandemd and the load generators")
    parser.add_argument("--json", metavar="FILE", help="write machine and rows here")
    parser.add_argument("--quick", action="store_true", help="short cells, one repetition")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which to measure, separated by commas")
    parser.add_argument("--only", default=",".join((*WORKLOADS, HANDOVER)), help="which workloads, separated by commas")
    arguments = parser.parse_args()
    for name, known in (("systems", SYSTEMS), ("only", (*WORKLOADS, HANDOVER))):
        asked = getattr(arguments, name).split(",")
        if unknown := set(asked) - set(known):
            parser.error(f"--{name}: there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        setattr(arguments, name, [one for one in known if one in asked])
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pace_name = "quick" if arguments.quick else "full"
    machine = describe_machine(pace_name)
    if machine["busy_before"] > BUSY_SHARE_MAX:
        print(f"Others use {machine['busy_before']:.0%} of this machine's CPUs: the figures will not be worth much.",
              file=sys.stderr)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-"))
        loads = {}
        for start, systems in STARTERS:
            if set(systems) & set(arguments.systems):
                loads.update(start(stack, directory, arguments.binaries))
        loads = {system: loads[system] for system in SYSTEMS if system in arguments.systems}
        rows, spreads = measure(loads, [name for name in arguments.only if name in WORKLOADS], PACE[pace_name])
        measured = measure_handover(loads, arguments.binaries, pace_name) if HANDOVER in arguments.only else []
    print("Machine: " + ", ".join(f"{key} {value}" for key, value in machine.items()))
    report.print_report(rows, spreads, measured)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "rows": rows, "measures": measured}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"bench: {error}")
