"""The operations that cpython_load.py measures: the manager's, and those that multiprocessing has without one.

A Client has remove(), close(), and the members that its workloads name. `cell.index` is the number of the client, -1 in
the parent; `cell.shared` is what the processes of one cell have in common.
"""

import collections
import ctypes
import mmap
import multiprocessing
import os
import queue
import threading
from multiprocessing.managers import AcquirerProxy, ConditionProxy, DictProxy, ListProxy, SyncManager

KEY_COUNT = 1000
VALUE = "v" * 64
LARGE_BYTES = 1 << 20
LARGE_COUNT = 10  # keys of large values: the keys' last digits
LARGE_VALUE = b"v" * LARGE_BYTES
HUGE_BYTES = 16 << 20
HUGE_COUNT = 2  # keys of huge values: whether the keys' last digits are odd
HUGE_VALUE = b"v" * HUGE_BYTES
PERMITS = 2
TASKS = 10_000
AUTHKEY = b"bench"

# is_paired: two clients do one operation together. batch: how many operations one call is.
Workload = collections.namedtuple("Workload", "operation fill count_left leaves is_paired batch", defaults=(False, 1))


class Shared:
    """Memory of all processes of a cell. What guards it is what is measured."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 16)
        self.count = ctypes.c_int64.from_buffer(self.memory, 0)  # operations done
        self.turn = ctypes.c_int64.from_buffer(self.memory, 8)   # the client whose turn it is


def trivial(number):
    return number


# ---- the manager --------------------------------------------------------------------------------------------------

class BenchManager(SyncManager):
    """A SyncManager whose clients can also share objects by name; the proxies are CPython's own."""


SHARED_TYPES = {"dict": (dict, DictProxy), "list": (list, ListProxy), "lock": (threading.Lock, AcquirerProxy),
                "condition": (threading.Condition, ConditionProxy), "queue": (queue.Queue, None),
                "semaphore": (lambda: threading.Semaphore(PERMITS), AcquirerProxy)}


class SharedObjects:
    """The server's side of the names."""

    def __init__(self):
        self.objects = {}

    def getter(self, make):
        return lambda name: self.objects.setdefault(name, make())

    def remove(self, name):
        return [self.objects.pop(name) is None] if name in self.objects else []


def register_shared_types(shared=None):
    """In the server with what it shares, in the clients without."""
    for kind, (make, proxy_type) in SHARED_TYPES.items():
        BenchManager.register("shared_" + kind, shared and shared.getter(make), proxy_type)
    BenchManager.register("remove_shared", shared and shared.remove, ListProxy)


class Sharing:
    """One connection of one client process and its operations on the cell's objects."""

    def __init__(self, cell):
        register_shared_types()
        self.cell = cell
        self.made = []
        self.manager = BenchManager(address=cell.address, authkey=AUTHKEY)
        self.manager.connect()
        self.objects_before = self.manager._number_of_objects()  # all other clients are gone when this is asked for
        self.shared, *others = [self.get(kind) for kind in self.KINDS[cell.workload]]
        self.back = others[0] if others else None
        self.is_first = cell.index == 0

    def get(self, kind):
        """The cell's object of that type; another one each time."""
        name = f"{self.cell.object}-{len(self.made)}"
        self.made.append(name)
        return self.manager.Pool(len(os.sched_getaffinity(0))) if kind == "pool" \
            else getattr(self.manager, "shared_" + kind)(name)

    def close(self):
        if self.cell.workload == "pool_map":
            self.shared.close()
            self.shared.join()

    def remove(self):
        self.close()
        for name in self.made:
            self.manager.remove_shared(name)

    # ---- objects that hold data

    def dict_set(self, key):
        self.shared[key] = VALUE

    def dict_get(self, key):
        if len(self.shared[key]) != len(VALUE):
            raise RuntimeError("dict_get returned another value")

    def list_push_back(self, key):
        self.shared.append(VALUE)

    def counter_zero(self, key):
        self.shared[key] = 0

    # Two round trips that are not atomic together: concurrent additions lose updates. The correct form needs a
    # manager.Lock around it (four round trips), so this is CPython at its most flattering.
    def counter_add(self, key):
        shared = self.shared
        shared[key] = shared.get(key, 0) + 1

    # The proxy goes at once, by reference count, and tells the manager so.
    def create_drop(self, key):
        created = self.manager.dict()
        del created

    def large_put(self, key):
        self.shared[key[-1]] = LARGE_VALUE

    def large_get(self, key):
        if len(self.shared[key[-1]]) != LARGE_BYTES:
            raise RuntimeError("large_get returned another value")

    def large_fill(self, key):
        if key < "key:000010":
            self.large_put(key)

    def large_missing(self):
        return LARGE_COUNT - len(self.shared)

    def huge_put(self, key):
        self.shared[int(key[-1]) % HUGE_COUNT] = HUGE_VALUE

    def huge_get(self, key):
        if len(self.shared[int(key[-1]) % HUGE_COUNT]) != HUGE_BYTES:
            raise RuntimeError("huge_get returned another value")

    def huge_fill(self, key):
        if key < "key:000002":
            self.huge_put(key)

    def huge_missing(self):
        return HUGE_COUNT - len(self.shared)

    def size(self):
        return len(self.shared)

    def counter_sum(self):
        return sum(self.shared.values())

    def objects_left(self):
        return self.objects_before


class Waits:
    """Operations on what processes wait for, the same with the manager and without."""

    def lock_unlock(self, key):
        self.shared.acquire()
        self.cell.shared.count.value += 1
        self.shared.release()

    def semaphore(self, key):
        self.shared.acquire()
        self.shared.release()

    def permits_missing(self):
        return PERMITS - sum(self.shared.acquire(False) for _ in range(PERMITS + 1))

    def queue_handover(self, key):
        if self.is_first:
            self.shared.put(VALUE)
        else:
            self.shared.get()
            self.cell.shared.count.value += 1

    def queue_pingpong(self, key):
        if self.is_first:
            self.shared.put(VALUE)
            self.back.get()
            self.cell.shared.count.value += 1
        else:
            self.back.put(self.shared.get())

    def condition_pingpong(self, key):
        condition, shared, index = self.shared, self.cell.shared, self.cell.index
        condition.acquire()
        while shared.turn.value != index:
            condition.wait()
        shared.turn.value = 1 - index
        if self.is_first:
            shared.count.value += 1
        condition.notify()
        condition.release()

    def pool_map(self, key):
        self.cell.shared.count.value += len(self.shared.map(trivial, range(TASKS)))

    def count(self):
        return self.cell.shared.count.value


class ManagerClient(Sharing, Waits):
    KINDS = {"dict_set": ["dict"], "dict_get": ["dict"], "list_push_back": ["list"], "counter_add": ["dict"],
             "create_drop": ["dict"], "large_put": ["dict"], "large_get": ["dict"],
             "huge_put": ["dict"], "huge_get": ["dict"], "lock_unlock": ["lock"],
             "semaphore": ["semaphore"], "queue_handover": ["queue"],
             "queue_pingpong": ["queue", "queue"], "condition_pingpong": ["condition"], "pool_map": ["pool"]}

    @staticmethod
    def prepare(cell):
        pass


# ---- without a manager --------------------------------------------------------------------------------------------

class NativeClient(Waits):
    """multiprocessing's own locks, queues and pools, which only processes of one family can share."""

    MAKERS = {"lock_unlock": [multiprocessing.Lock], "semaphore": [lambda: multiprocessing.Semaphore(PERMITS)],
              "queue_handover": [multiprocessing.Queue],
              "queue_handover_pipelined": [multiprocessing.Queue], "queue_pingpong": [multiprocessing.Queue] * 2,
              "condition_pingpong": [multiprocessing.Condition], "pool_map": []}

    @classmethod
    def prepare(cls, cell):
        """Makes what the clients will inherit."""
        cell.inherited = [make() for make in cls.MAKERS[cell.workload]]

    def __init__(self, cell):
        self.cell = cell
        self.is_first = cell.index == 0
        if cell.workload == "pool_map":
            self.shared = multiprocessing.Pool(len(os.sched_getaffinity(0)))
        else:
            self.shared, *others = cell.inherited
            self.back = others[0] if others else None

    def close(self):
        if self.cell.workload == "pool_map":
            self.shared.close()
            self.shared.join()
        elif self.cell.workload.startswith("queue"):
            for inherited in self.cell.inherited:
                inherited.close()
                inherited.join_thread()

    def remove(self):
        self.close()


# ---- workloads ----------------------------------------------------------------------------------------------------

def waits_workloads(client):
    return {
        "lock_unlock": Workload(client.lock_unlock, None, client.count, "operations"),
        "semaphore": Workload(client.semaphore, None, client.permits_missing, "nothing"),
        "queue_handover": Workload(client.queue_handover, None, client.count, "operations", is_paired=True),
        "queue_handover_pipelined": Workload(client.queue_handover, None, client.count, "operations", is_paired=True),
        "queue_pingpong": Workload(client.queue_pingpong, None, client.count, "operations", is_paired=True),
        "condition_pingpong": Workload(client.condition_pingpong, None, client.count, "operations", is_paired=True),
        "pool_map": Workload(client.pool_map, None, client.count, "operations", batch=TASKS),
    }


ManagerClient.WORKLOADS = {
    "dict_set": Workload(ManagerClient.dict_set, ManagerClient.dict_set, ManagerClient.size, "keys"),
    "dict_get": Workload(ManagerClient.dict_get, ManagerClient.dict_set, ManagerClient.size, "keys"),
    "list_push_back": Workload(ManagerClient.list_push_back, None, ManagerClient.size, "operations"),
    "counter_add": Workload(ManagerClient.counter_add, ManagerClient.counter_zero, ManagerClient.counter_sum,
                            "operations"),
    "create_drop": Workload(ManagerClient.create_drop, None, ManagerClient.objects_left, "nothing"),
    "large_put": Workload(ManagerClient.large_put, ManagerClient.large_fill, ManagerClient.large_missing, "nothing"),
    "large_get": Workload(ManagerClient.large_get, ManagerClient.large_fill, ManagerClient.large_missing, "nothing"),
    "huge_put": Workload(ManagerClient.huge_put, ManagerClient.huge_fill, ManagerClient.huge_missing, "nothing"),
    "huge_get": Workload(ManagerClient.huge_get, ManagerClient.huge_fill, ManagerClient.huge_missing, "nothing"),
} | waits_workloads(ManagerClient)
NativeClient.WORKLOADS = waits_workloads(NativeClient)
