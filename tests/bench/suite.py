#!/usr/bin/python3
"""Starts a server of each system, runs all cells interleaved, prints the report. Called by run.sh.

What comes out is rows, one for each workload, system, number of clients and depth (requests under way at once):

  ops_per_s p50_us p99_us p999_us     always, of workloads that are rates; medians over the repetitions
  bytes_per_s                         besides, of workloads with large values
  bytes_per_entry                     instead, of what is held in memory
  axis at                             besides, of one point of a curve: what grows ("entries"), and how much it is there
  max_us                              besides, of points where the longest of all operations matters
  cpu_us                              besides, of paced workloads: processor time of server and client for each operation
"""

import argparse
import collections
import contextlib
import glob
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import page
import report
import systems
from systems import KEPT, PYTHON, SYSTEMS, TANDEM

SERVERS = TANDEM + ("cpython-manager", "redis-unix")
WAITS = TANDEM + ("cpython-manager", "cpython-native", "redis-unix")
WITHOUT_REDIS = TANDEM + ("cpython-manager", "cpython-native")  # which has neither conditions nor pools
PIPELINES = TANDEM + ("redis-unix",)
LIMITS = ("boost-interprocess", "raw-unix", "raw-ring")
CURVE = ("tandem-ring", "tandem-unix", "redis-unix", "boost-interprocess")
MIB = 1 << 20

# What is measured: on which systems with how many clients; how many requests each client has under way; how many bytes one
# operation moves, where that matters. A load generator knows the workload by the same name, or as `load`.
Workload = collections.namedtuple("Workload", "systems_by_clients depth bytes load", defaults=(1, None, None))
WORKLOADS = {
    "dict_set": Workload({1: SERVERS + LIMITS, 8: SERVERS + LIMITS[:1]}),
    "dict_set_kept": Workload({1: KEPT + ("tandem-unix", "redis-unix"), 8: KEPT + ("tandem-unix", "redis-unix"),
                               50: KEPT}, load="dict_set"),
    "dict_get": Workload({1: SERVERS + LIMITS, 2: CURVE, 4: CURVE, 8: SERVERS + LIMITS[:1], 16: CURVE}),
    "dict_set_pipelined": Workload({1: PIPELINES, 8: PIPELINES}, depth=16),
    "dict_get_pipelined": Workload({1: PIPELINES, 8: PIPELINES}, depth=16),
    "dict_get_paced": Workload({1: TANDEM + ("redis-unix",)}),
    "list_push_back": Workload({1: SERVERS, 8: SERVERS}),
    "counter_add": Workload({1: SERVERS, 8: SERVERS}),
    "create_drop": Workload({1: SERVERS, 8: SERVERS}),
    "large_get": Workload({1: SERVERS + LIMITS[1:]}, bytes=MIB),
    "large_put": Workload({1: SERVERS + LIMITS[1:]}, bytes=MIB),
    "huge_get": Workload({1: SERVERS + LIMITS[1:]}, bytes=16 * MIB),
    "huge_put": Workload({1: SERVERS + LIMITS[1:]}, bytes=16 * MIB),
    "lock_unlock": Workload({1: WAITS, 4: WAITS, 8: WAITS}),
    "semaphore": Workload({1: WAITS, 4: WAITS}),
    "queue_handover": Workload({2: WAITS}),
    "queue_handover_pipelined": Workload({2: TANDEM + ("cpython-native",)}),
    "queue_pingpong": Workload({2: WAITS}),
    "condition_pingpong": Workload({2: WITHOUT_REDIS}),
    "pool_map": Workload({1: WITHOUT_REDIS}),
}

# What is measured again beside neighbours that do nothing but compute, 1 and 2 for each processor. Their rows have other
# workload names, such as dict_get_busy_2.
BUSY_WORKLOADS = ("dict_get", "dict_set", "lock_unlock", "queue_handover")
BUSY_CLIENTS = (1, 2, 8)
BUSY = (0, 1, 2)
NEIGHBOUR = ["sh", "-c", "while :; do :; done"]

# What is no rate: how long the lock of a killed process is nobody's. The peers have nothing of the kind: a lock of
# CPython's stays locked for ever, one of Redis' until the time that was set for it is over.
HANDOVER = "killed_holder_handover"
HANDOVER_ROUNDS = {"full": 50, "quick": 10, "tiny": 1}
# What grows, and what is held in memory: bench_scale measures it by itself, where it was built, and prints rows as JSON
# lines (see above). It is given --address and --authkey-file of a tandemd, --redis with a path, and --quick or not.
SCALE = "scale"
EVERYTHING = (*WORKLOADS, HANDOVER, SCALE)

# How long a cell aims to be, and how often all are run. "quick" shows that everything works and roughly where it stands;
# "tiny" that it works.
PACE = {"full": {"seconds": 0.8, "warm_up_seconds": 0.2, "repetitions": 5},
        "quick": {"seconds": 0.3, "warm_up_seconds": 0.1, "repetitions": 1},
        "tiny": {"seconds": 0.02, "warm_up_seconds": 0.02, "repetitions": 2}}
CELL_SECONDS_MAX = 120
PACED_SECONDS = (0.1, 3.1)
SCALE_SECONDS_MAX = 1800
BUSY_SHARE_MAX = 0.05

# busy: neighbours for each processor.
Cell = collections.namedtuple("Cell", "workload clients system busy", defaults=(0,))


def run_program(command, seconds_max):
    done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=systems.end_with_parent, timeout=seconds_max,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError("failed: " + " ".join(command))
    return done.stdout


def run_cell(command, cell, cell_number, pace, server):
    def run(seconds):
        return json.loads(run_program(
            command + ["--workload", WORKLOADS[cell.workload].load or cell.workload, "--clients", str(cell.clients), "--object", f"bench-{cell_number}",
                       "--seconds", str(seconds), "--warm-up-seconds", str(pace["warm_up_seconds"])],
            CELL_SECONDS_MAX))

    if cell.workload.endswith("_paced") and pace is not PACE["tiny"]:
        return with_cpu_time(run, server)
    return run(pace["seconds"])


def used_seconds(pid):
    """Processor time of a process."""
    used = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            used += int(file.read().split()[0])
    return used / 1e9


def with_cpu_time(run, server):
    """What a cell printed, and the processor time of an operation. `run(seconds)` runs it; a short run tells what its
    beginning costs. The pace lets a second have 1,000 operations, so a long run is needed."""
    def measured(seconds):
        begin = used_seconds(server.pid), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        result = run(seconds)
        return result, used_seconds(server.pid) - begin[0] + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - begin[1]

    short, short_seconds = measured(PACED_SECONDS[0])
    result, seconds = measured(PACED_SECONDS[1])
    operations = result["operations"] - short["operations"]
    return {**result, "cpu_us": 1e6 * max(0, seconds - short_seconds) / max(1, operations)}


def cells_of(workloads, loads, busy=(0,)):
    """In groups whose systems are measured one after the other, so that the machine's drift hits all of them alike."""
    for neighbours in busy:
        for workload in workloads:
            for clients, wanted in WORKLOADS[workload].systems_by_clients.items():
                if neighbours and (workload not in BUSY_WORKLOADS or clients not in BUSY_CLIENTS):
                    continue
                if group := [Cell(workload, clients, system, neighbours) for system in loads
                             if system in wanted and not (neighbours and system.startswith("raw-"))]:
                    yield group


@contextlib.contextmanager
def busy_neighbours(for_each_processor):
    count = for_each_processor * len(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            systems.start_server(stack, NEIGHBOUR)
        yield


def row_of(cell, results):
    workload = WORKLOADS[cell.workload]
    name = f"{cell.workload}_busy_{cell.busy}" if cell.busy else cell.workload
    row = {"workload": name, "system": cell.system, "clients": cell.clients, "depth": workload.depth}
    for key in ("ops_per_s", "p50_us", "p99_us", "p999_us"):
        row[key] = round(statistics.median(result[key] for result in results), 2)
    if "cpu_us" in results[0]:
        row["cpu_us"] = round(statistics.median(result["cpu_us"] for result in results), 1)
    if workload.bytes:
        row["bytes_per_s"] = round(row["ops_per_s"] * workload.bytes)
    rates = [result["ops_per_s"] for result in results]
    if len(rates) > 1:
        row["spread"] = round((max(rates) - min(rates)) / statistics.median(rates), 3)
    return row


def measure(loads, workloads, pace, busy=(0,), servers=None):
    groups = list(cells_of(workloads, loads, busy))
    found = {cell: [] for group in groups for cell in group}
    cell_number = 0
    for repetition in range(pace["repetitions"]):
        for group in groups:
            first = repetition % len(group)
            for cell in group[first:] + group[:first]:
                cell_number += 1
                with busy_neighbours(cell.busy):
                    result = run_cell(loads[cell.system], cell, cell_number, pace, (servers or {}).get(cell.system))
                found[cell].append(result)
                beside = f" ({cell.busy} busy neighbours for each processor)" if cell.busy else ""
                print(f"[{repetition + 1}/{pace['repetitions']}] {cell.workload} {cell.clients} {cell.system}{beside}: "
                      f"{result['ops_per_s']:,.0f} ops/s", file=sys.stderr, flush=True)
    return [row_of(cell, results) for cell, results in found.items()]


def measure_handover(loads, place, pace_name):
    """One entry for each way to reach tandem."""
    return [{"measure": HANDOVER, "system": system,
             **json.loads(run_program([place.program("bench_handover"), *loads[system][1:], "--object", HANDOVER, "--rounds",
                                       str(HANDOVER_ROUNDS[pace_name])], CELL_SECONDS_MAX))}
            for system in TANDEM if system in loads]


def measure_scale(loads, place, pace_name):
    """The rows of bench_scale, where there is one."""
    program = place.program("bench_scale")
    tandem = next((loads[system] for system in ("tandem-unix", "tandem-ring") if system in loads), None)
    if not os.path.exists(program) or tandem is None:
        return []
    command = [program, *tandem[1:]]
    if "redis-unix" in loads:
        command += ["--redis", loads["redis-unix"][-1]]
    if pace_name != "full":
        command.append("--quick")
    print("bench_scale", file=sys.stderr, flush=True)
    rows = [json.loads(line) for line in run_program(command, SCALE_SECONDS_MAX).splitlines() if line.strip()]
    return [{"clients": 1, "depth": 1, **row} for row in rows]


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
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def describe_machine(pace_name):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "busy_before": round(busy_share(0.2 if pace_name == "tiny" else 1.0), 3),
        "cpython": output_of(PYTHON, "-c", "import platform; print(platform.python_version())"),
        "redis": re.sub(r".*v=(\S+).*", r"\1", output_of("redis-server", "--version")),
        "date": time.strftime("%Y-%m-%d"),
        "pace": pace_name,
        "repetitions": PACE[pace_name]["repetitions"],
    }


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True, help="directory of tandemd and the load generators")
    parser.add_argument("--json", metavar="FILE", help="write machine and rows here")
    parser.add_argument("--html", metavar="FILE", help="write a page with charts here")
    parser.add_argument("--pace", choices=PACE, default="full", help="how long, how often")
    parser.add_argument("--quick", dest="pace", action="store_const", const="quick", help="short cells, one repetition")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which to measure, separated by commas")
    parser.add_argument("--only", default=",".join(EVERYTHING), help="which workloads, separated by commas")
    parser.add_argument("--busy", default=",".join(map(str, BUSY)), metavar="LIST",
                        help="beside how many neighbours that only compute, for each processor, separated by commas")
    arguments = parser.parse_args()
    try:
        arguments.busy = [int(one) for one in arguments.busy.split(",")]
    except ValueError:
        parser.error("--busy: numbers separated by commas")
    if any(one < 0 for one in arguments.busy):
        parser.error("--busy: 0 or more")
    for name, known in (("systems", SYSTEMS), ("only", EVERYTHING)):
        asked = getattr(arguments, name).split(",")
        if unknown := set(asked) - set(known):
            parser.error(f"--{name}: there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        setattr(arguments, name, [one for one in known if one in asked])
    return arguments


def measure_all(arguments):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-"))
        place = systems.Place(stack, directory, arguments.binaries)
        loads = systems.start(place, arguments.systems)
        if "tandem-ring" in arguments.systems and "tandem-ring" not in loads:
            print("This tandemd has no ring: tandem-ring is left out.", file=sys.stderr)
        rows = measure(loads, [name for name in arguments.only if name in WORKLOADS], PACE[arguments.pace],
                       arguments.busy, place.servers)
        if SCALE in arguments.only:
            rows += measure_scale(loads, place, arguments.pace)
        return rows, measure_handover(loads, place, arguments.pace) if HANDOVER in arguments.only else []


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = describe_machine(arguments.pace)
    if machine["busy_before"] > BUSY_SHARE_MAX:
        print(f"Others use {machine['busy_before']:.0%} of this machine's CPUs: the figures will not be worth much.",
              file=sys.stderr)
    rows, measures = measure_all(arguments)
    found = {"machine": machine, "rows": rows, "measures": measures}
    report.print_report(found)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
            file.write("\n")
    if arguments.html:
        page.write(page.render(found), arguments.html)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"bench: {error}")
