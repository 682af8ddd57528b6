"""The suite's rows as tables, and the targets they are held against."""

LEGEND = """\
ops/s: operations of all clients together, between the common start and the last end. p50, p99: of single operations.
Every figure is the median over the repetitions; one request at a time per client (depth 1).
spread: how far the ops/s of the repetitions lie apart, as a share of their median. Where one client is alone, much hangs
  on whether the scheduler keeps it and the server on one CPU or wakes an idle one for each message.
counter_add: tandem and Redis add in one atomic operation. CPython's d[k] = d.get(k, 0) + 1 is two operations and loses
  updates under concurrency; made correct with a manager's Lock it would cost twice as much.
create_drop: Redis has no unnamed objects; measured is HSET of a fresh key and DEL of it.
cpython-native: multiprocessing's own Lock, Semaphore, Queue, Condition and Pool, which need no server: shared memory and
  pipes between the processes of one family.
lock_unlock: Redis gets SET NX PX, asked again at once until it succeeds, and a script that deletes the key if it is the
  caller's. The clients count in shared memory under the lock, by plain loads and stores; the count must be right.
semaphore: of two permits. Redis gets a list of two permits: BLPOP and RPUSH.
queue_handover: an operation is one item that one process puts and the other gets, each as fast as it can; p50 and p99
  are those of the single put or get. Redis: RPUSH and BLPOP.
queue_pingpong, condition_pingpong: an operation is there and back; p50 and p99 are those of either side.
pool_map: an operation is one task of a map of 10,000, on as many workers as there are CPUs; p50 and p99 are those of a
  whole map.
killed_holder_handover: from the SIGKILL of the process that holds a lock until the process that waits for it has it."""

PEERS = ("cpython-manager", "cpython-native", "redis-unix")

# (peer, least ratio of tandem-unix to it), by workload.
TARGETS = {
    "create_drop": (("cpython-manager", 50), ("redis-unix", 1)),
    "lock_unlock": (("cpython-manager", 5),),
    "queue_handover": (("cpython-manager", 5),),
    "queue_pingpong": (("cpython-manager", 5),),
    "pool_map": (("cpython-native", 3),),
    "semaphore": (),
    "condition_pingpong": (),
}

HANDOVER_MS_MAX = 50  # for the longest of all rounds


def targets(workload, clients):
    return TARGETS.get(workload, (("cpython-manager", 3 if clients == 1 else 8), ("redis-unix", 1)))


def ratio(rows, workload, clients, system, peer):
    """ops/s of system over those of peer, or None where one of them was not measured."""
    ours, theirs = rows.get((workload, clients, system)), rows.get((workload, clients, peer))
    return ours["ops_per_s"] / theirs["ops_per_s"] if ours and theirs else None


def print_columns(header, lines):
    widths = [max(len(line[i]) for line in [header] + lines) for i in range(len(header))]
    for line in [header, ["-" * width for width in widths]] + lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  ".join(cells))
    print()


def print_figures(rows, spreads):
    lines = [[workload, str(clients), system, f"{row['ops_per_s']:,.0f}", f"{row['p50_us']:.1f}", f"{row['p99_us']:.1f}",
              spread]
             for ((workload, clients, system), row), spread in zip(rows.items(), spreads)]
    print_columns(["workload", "clients", "system", "ops/s", "p50 us", "p99 us", "spread"], lines)


def print_ratios(rows, cells):
    lines = []
    for workload, clients in cells:
        ratios = [ratio(rows, workload, clients, system, peer)
                  for system in ("tandem-unix", "tandem-tcp") for peer in PEERS]
        if any(ratios):
            lines.append([workload, str(clients)] + [f"{r:.2f}" if r else "-" for r in ratios])
    if lines:
        print("Throughput of tandem as a multiple of the peer's")
        print_columns(["workload", "clients"] + [f"{way}/{peer}" for way in ("unix", "tcp")
                                                 for peer in ("manager", "native", "redis")], lines)


def print_targets(rows, cells):
    lines = []
    for workload, clients in cells:
        for peer, least in targets(workload, clients):
            reached = ratio(rows, workload, clients, "tandem-unix", peer)
            if reached:
                lines.append([workload, str(clients), peer, f">= {least}x", f"{reached:.2f}x",
                              "reached" if reached >= least else "short"])
    if lines:
        print("Targets of tandem-unix")
        print_columns(["workload", "clients", "against", "target", "measured", ""], lines)


def print_measures(measured):
    lines = [[entry["measure"], entry["system"], str(entry["rounds"]), f"{entry['median_ms']:.2f}",
              f"{entry['max_ms']:.2f}", f"<= {HANDOVER_MS_MAX} ms",
              "reached" if entry["max_ms"] <= HANDOVER_MS_MAX else "short"] for entry in measured]
    if lines:
        print("Times")
        print_columns(["measure", "system", "rounds", "median ms", "max ms", "target", ""], lines)


def print_report(row_list, spreads, measured):
    rows = {(row["workload"], row["clients"], row["system"]): row for row in row_list}
    cells = list(dict.fromkeys((workload, clients) for workload, clients, _ in rows))
    print()
    if rows:
        print_figures(rows, spreads)
        print_ratios(rows, cells)
        print_targets(rows, cells)
    print_measures(measured)
    print(LEGEND)
