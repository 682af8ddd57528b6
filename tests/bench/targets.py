"""What tandem is to reach, as ratios of figures of one run."""

import collections

# `system` shall have at least (bytes, p99 and processor time: at most) `bound` times what `peer` has. Of rows with bytes_per_entry, and of
# targets with `of` p99_us or cpu_us, less is better; a peer that is a number stands for itself.
Target = collections.namedtuple("Target", "workload clients system peer bound depth of", defaults=(1, None))
Outcome = collections.namedtuple("Outcome", "target measured text")  # measured: None where there was nothing to compare

MANAGER, NATIVE, REDIS = "cpython-manager", "cpython-native", "redis-unix"
RING, UNIX = "tandem-ring", "tandem-unix"

TARGETS = [
    *(Target(workload, 1, RING, peer, bound) for workload in ("dict_get", "dict_set")
      for peer, bound in ((REDIS, 20), (MANAGER, 50), ("raw-ring", 0.5))),
    *(Target(workload, 1, UNIX, "raw-unix", 0.7) for workload in ("dict_get", "dict_set")),
    *(Target(workload, 8, system, REDIS, bound) for workload in ("dict_get", "dict_set")
      for system, bound in ((RING, 8), (UNIX, 1.2))),
    *(Target(workload, 8, system, REDIS, bound, 16) for workload in ("dict_get_pipelined", "dict_set_pipelined")
      for system, bound in ((UNIX, 1.3), (RING, 2))),
    *(Target(workload, 1, RING, peer, bound) for workload in ("large_get", "large_put", "huge_get", "huge_put")
      for peer, bound in ((REDIS, 3), ("raw-ring", 0.8))),
    *(Target(workload, 2, RING, NATIVE, 5) for workload in ("queue_handover", "queue_handover_pipelined")),
    Target("lock_unlock", 1, RING, MANAGER, 50),
    Target("dict_get_paced", 1, RING, REDIS, 1.5, 1, "cpu_us"),
    # Beside neighbours that only compute.
    *(Target(f"{workload}_busy_{busy}", clients, RING, peer, bound, 1, of)
      for workload in ("dict_get", "dict_set") for busy in (1, 2) for clients in (1, 8)
      for peer, bound, of in ((REDIS, 1, None), (MANAGER, 3, None), (REDIS, 1.2, "p99_us"))),
    Target("memory_dict_int", 1, "tandem", REDIS, 1),
    Target("memory_list_int", 1, "tandem", 16, 1),
    # With a journal; at level process over unix sockets.
    *(Target("dict_set_kept", clients, "tandem-disk", "redis-always", bound) for clients, bound in ((1, 1), (50, 2))),
    Target("dict_set_kept", 1, "tandem-process", UNIX, 0.5),
    *(Target("dict_set_kept", clients, "tandem-process", "redis-everysec", 1) for clients in (1, 8)),
    # Over unix sockets.
    *(Target(workload, clients, UNIX, peer, bound)
      for workload in ("dict_set", "dict_get", "list_push_back", "counter_add")
      for clients, peer, bound in ((1, MANAGER, 3), (1, REDIS, 1), (8, MANAGER, 8), (8, REDIS, 1))),
    *(Target("create_drop", clients, UNIX, peer, bound) for clients in (1, 8) for peer, bound in ((MANAGER, 50), (REDIS, 1))),
    *(Target("lock_unlock", clients, UNIX, MANAGER, 5) for clients in (1, 4)),
    Target("queue_handover", 2, UNIX, MANAGER, 5),
    Target("queue_pingpong", 2, UNIX, MANAGER, 5),
    Target("pool_map", 1, UNIX, NATIVE, 3),
]

HANDOVER_MS_MAX = 50  # for the longest of all rounds


def by_cell(rows):
    """Rows by workload, clients, depth, system, without the points of curves."""
    return {(row["workload"], row["clients"], row["depth"], row["system"]): row for row in rows if "axis" not in row}


def figure(row, of=None):
    return row.get(of) if of else row.get("ops_per_s") or row.get("bytes_per_entry")


def less_is_better(target):
    return target.of is not None or target.workload.startswith("memory_")


def ratio(rows, workload, clients, system, peer, depth=1, of=None):
    """What system has over what peer has, or None where one of them was not measured. `rows`: by_cell()."""
    ours = rows.get((workload, clients, depth, system))
    theirs = peer if isinstance(peer, (int, float)) else rows.get((workload, clients, depth, peer))
    if not ours or not theirs:
        return None
    peers = theirs if isinstance(theirs, (int, float)) else figure(theirs, of)
    return figure(ours, of) / peers if peers and figure(ours, of) is not None else None


def outcomes(rows):
    cells = by_cell(rows)
    for target in TARGETS:
        measured = ratio(cells, target.workload, target.clients, target.system, target.peer, target.depth,
                         target.of)
        if measured is None:
            yield Outcome(target, None, "not measured")
            continue
        met = measured <= target.bound if less_is_better(target) else measured >= target.bound
        yield Outcome(target, measured, "met" if met else "short")


def describe(target):
    """(what, against what, how much) as texts."""
    what = f"{target.workload}, {target.clients} client{'s' if target.clients > 1 else ''}"
    if target.depth > 1:
        what += f", depth {target.depth}"
    peer = f"{target.peer} bytes" if isinstance(target.peer, (int, float)) else target.peer
    if target.of:
        what += f", {target.of.removesuffix('_us')}"
    bound = f"{'<=' if less_is_better(target) else '>='} {target.bound:g}x"
    return what, target.system, peer, bound
