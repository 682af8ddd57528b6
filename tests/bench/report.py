#!/usr/bin/python3
"""The suite's rows as tables, and the targets they are held against.

  report.py FIGURES.json     the same report of a run that has been
  report.py --markdown FIGURES.json
"""

import json
import sys

from targets import HANDOVER_MS_MAX, by_cell, describe, outcomes, ratio

LEGEND = """\
ops/s: operations of all clients together, between the common start and the last end. p50, p99, p99.9: of
  single calls. Every figure is the median over the repetitions. depth: requests that each client has under way.
spread: how far the ops/s of the repetitions lie apart, as a share of their median. Where one client is alone,
  much hangs on whether the scheduler keeps it and the server on one CPU or wakes an idle one for each message.
boost-interprocess: a boost::unordered_map in managed shared memory under an interprocess mutex. No server: what
  one may have that gives up everything a manager is there for.
raw-unix, raw-ring: requests and replies as long as tandem's, and nothing done with them; over a unix socket with
  blocking calls, and over a ring in shared memory with a short spin. The limits of this machine.
dict_set_pipelined, dict_get_pipelined: in bursts of 16, sent without waiting, and then all their replies read; tandem
  by a Pipeline, Redis by redisAppendCommandArgv and redisGetReply. p50 and p99 are those of a whole burst.
dict_get_paced: one call each millisecond. cpu us: the processor time of server and client together for one of them.
counter_add: tandem and Redis add in one atomic operation. CPython's d[k] = d.get(k, 0) + 1 is two operations and
  loses updates under concurrency; made correct with a manager's Lock it would cost twice as much.
create_drop: Redis has no unnamed objects; measured is HSET of a fresh key and DEL of it.
large_get, large_put: values of 1 MiB in a dict of ten; huge_get, huge_put: of 16 MiB in one of two.
cpython-native: multiprocessing's own Lock, Semaphore, Queue, Condition and Pool, which need no server: shared
  memory and pipes between the processes of one family.
lock_unlock: Redis gets SET NX PX, asked again at once until it succeeds, and a script that deletes the key if it
  is the caller's. The clients count in shared memory under the lock, by plain loads and stores; the count must be
  right.
semaphore: of two permits. Redis gets a list of two permits: BLPOP and RPUSH.
queue_handover: an operation is one item that one process puts and the other gets, each as fast as it can; p50
  and p99 are those of the single put or get. Redis: RPUSH and BLPOP.
queue_handover_pipelined: the same, where who puts does not wait for an answer, as CPython's Queue never does.
queue_pingpong, condition_pingpong: an operation is there and back; p50 and p99 are those of either side.
pool_map: an operation is one task of a map of 10,000, on as many workers as there are CPUs; p50 and p99 are those
  of a whole map.
dict_get_busy_1, dict_get_busy_2, ...: the same beside 1 or 2 neighbours for each processor that do nothing but compute.
killed_holder_handover: from the SIGKILL of the process that holds a lock until the one that waits for it has it."""

PEERS = {"cpython-manager": "manager", "cpython-native": "native", "redis-unix": "redis",
         "boost-interprocess": "boost", "raw-unix": "raw-unix", "raw-ring": "raw-ring"}
TANDEM = {"tandem-ring": "ring", "tandem-unix": "unix", "tandem-tcp": "tcp"}


def print_columns(header, lines):
    widths = [max(len(line[i]) for line in [header] + lines) for i in range(len(header))]
    for line in [header, ["-" * width for width in widths]] + lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())
    print()


def print_rates(rows):
    lines = [[row["workload"], str(row["clients"]), str(row["depth"]), row["system"],
              f"{row['ops_per_s']:,.0f}", *(f"{row[key]:.1f}" for key in ("p50_us", "p99_us", "p999_us")),
              f"{row['bytes_per_s'] / 2**20:,.0f}" if "bytes_per_s" in row else "",
              f"{row['cpu_us']:.1f}" if "cpu_us" in row else "",
              f"{row['spread']:.0%}" if "spread" in row else "-"]
             for row in rows if "ops_per_s" in row and "axis" not in row]
    if lines:
        print_columns(["workload", "clients", "depth", "system", "ops/s", "p50 us", "p99 us", "p99.9 us", "MiB/s",
                       "cpu us", "spread"], lines)


def print_memory(rows):
    lines = [[row["workload"], row["system"], f"{row['bytes_per_entry']:.1f}"]
             for row in rows if "bytes_per_entry" in row and "axis" not in row]
    if lines:
        print("Memory")
        print_columns(["workload", "system", "bytes per entry"], lines)


def print_curves(rows):
    keys = ("ops_per_s", "p50_us", "p99_us", "max_us", "bytes_per_entry")
    lines = [[row["workload"], row["system"], row["axis"], f"{row['at']:,}",
              *(f"{row[key]:,.1f}" if key in row else "-" for key in keys)]
             for row in rows if "axis" in row]
    if lines:
        print("As the work grows")
        print_columns(["workload", "system", "what grows", "to", "ops/s", "p50 us", "p99 us", "max us",
                       "bytes per entry"], lines)


def print_ratios(rows):
    cells = by_cell(row for row in rows if "ops_per_s" in row)
    for system, name in TANDEM.items():
        lines = []
        for workload, clients, depth in dict.fromkeys(key[:3] for key in cells):
            ratios = [ratio(cells, workload, clients, system, peer, depth) for peer in PEERS]
            if any(ratios):
                lines.append([workload, str(clients), str(depth), *(f"{r:.2f}" if r else "-" for r in ratios)])
        if lines:
            print(f"Throughput of {system} as a multiple of the peer's")
            print_columns(["workload", "clients", "depth", *(f"{name}/{peer}" for peer in PEERS.values())], lines)


def print_measures(measures):
    lines = [[entry["measure"], entry["system"], str(entry["rounds"]), f"{entry['median_ms']:.2f}",
              f"{entry['max_ms']:.2f}", f"<= {HANDOVER_MS_MAX} ms",
              "met" if entry["max_ms"] <= HANDOVER_MS_MAX else "short"] for entry in measures]
    if lines:
        print("Times")
        print_columns(["measure", "system", "rounds", "median ms", "max ms", "to reach", ""], lines)


def print_targets(rows):
    lines = [[*describe(outcome.target), "-" if outcome.measured is None else f"{outcome.measured:.2f}x",
              outcome.text] for outcome in outcomes(rows)]
    print("To reach")
    print_columns(["what", "of", "against", "at least", "measured", ""], lines)


def print_report(found):
    print("Machine: " + ", ".join(f"{key} {value}" for key, value in found["machine"].items()))
    print()
    rows = found["rows"]
    print_rates(rows)
    print_memory(rows)
    print_curves(rows)
    print_ratios(rows)
    print_measures(found["measures"])
    print(LEGEND)
    print()
    print_targets(rows)


def print_markdown(found):
    """One line for each workload, one column for each system: ops/s (p50 in microseconds)."""
    rates = by_cell(row for row in found["rows"] if "ops_per_s" in row)
    shown = list(dict.fromkeys(key[3] for key in rates))
    print("| workload | clients | " + " | ".join(shown) + " |")
    print("|---" * (len(shown) + 2) + "|")
    for workload, clients, depth in dict.fromkeys(key[:3] for key in rates):
        cells = [rates.get((workload, clients, depth, system)) for system in shown]
        print(f"| {workload} | {clients} | " +
              " | ".join(f"{row['ops_per_s']:,.0f} ({row['p50_us']:.1f})" if row else "" for row in cells) +
              " |")
    print()
    print("| to reach | of | against | at least | measured | |")
    print("|---|---|---|---|---|---|")
    for outcome in outcomes(found["rows"]):
        if outcome.measured is not None:
            print(f"| {' | '.join(describe(outcome.target))} | {outcome.measured:.2f}x | {outcome.text} |")


def main():
    if len(sys.argv) < 2 or len(sys.argv) > 3 or (len(sys.argv) == 3 and sys.argv[1] != "--markdown"):
        sys.exit(__doc__)
    with open(sys.argv[-1], encoding="utf-8") as file:
        found = json.load(file)
    (print_markdown if len(sys.argv) == 3 else print_report)(found)


if __name__ == "__main__":
    main()
