#!/usr/bin/python3
"""CPython's multiprocessing manager under the same load as load.hpp makes; the stations are described there.

  cpython_load.py serve                 runs a manager on its default unix socket, prints the address, serves
  cpython_load.py --address A ...       one cell; prints one JSON line
"""

import argparse
import array
import collections
import ctypes
import json
import math
import os
import signal
import socket
import struct
import sys
import time
from multiprocessing.managers import DictProxy, ListProxy, SyncManager

KEY_COUNT = 1000
VALUE_BYTES = 64
AUTHKEY = b"bench"
PR_SET_PDEATHSIG = 1


class BenchManager(SyncManager):
    """A SyncManager whose clients can also share a dict or a list by name; the proxies are CPython's own."""


class SharedObjects:
    """The server's side of the names."""

    def __init__(self):
        self.dicts = {}
        self.lists = {}

    def dict(self, name):
        return self.dicts.setdefault(name, {})

    def list(self, name):
        return self.lists.setdefault(name, [])

    def remove(self, name):
        return [kind.pop(name) is None for kind in (self.dicts, self.lists) if name in kind]


def serve():
    shared = SharedObjects()
    BenchManager.register("shared_dict", shared.dict, DictProxy)
    BenchManager.register("shared_list", shared.list, ListProxy)
    BenchManager.register("remove_shared", shared.remove, ListProxy)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # an orderly exit removes the socket's directory
    server = BenchManager(authkey=AUTHKEY).get_server()
    print(server.address, flush=True)
    server.serve_forever()


class Client:
    """One connection of one client process and its operations on the cell's object."""

    def __init__(self, cell):
        BenchManager.register("shared_dict", proxytype=DictProxy)
        BenchManager.register("shared_list", proxytype=ListProxy)
        BenchManager.register("remove_shared", proxytype=ListProxy)
        self.name = cell.object
        self.value = "v" * VALUE_BYTES
        self.manager = BenchManager(address=cell.address, authkey=AUTHKEY)
        self.manager.connect()
        self.objects_before = self.manager._number_of_objects()  # all other clients are gone when this is asked for
        shared = self.manager.shared_list if cell.workload == "list_push_back" else self.manager.shared_dict
        self.shared = shared(cell.object)

    def dict_set(self, key):
        self.shared[key] = self.value

    def dict_get(self, key):
        if len(self.shared[key]) != VALUE_BYTES:
            raise RuntimeError("dict_get returned another value")

    def list_push_back(self, key):
        self.shared.append(self.value)

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

    def size(self):
        return len(self.shared)

    def counter_sum(self):
        return sum(self.shared.values())

    def objects_left(self):
        return self.objects_before

    def remove(self):
        self.manager.remove_shared(self.name)


Workload = collections.namedtuple("Workload", "operation fill count_left leaves")
WORKLOADS = {
    "dict_set": Workload(Client.dict_set, Client.dict_set, Client.size, "keys"),
    "dict_get": Workload(Client.dict_get, Client.dict_set, Client.size, "keys"),
    "list_push_back": Workload(Client.list_push_back, None, Client.size, "operations"),
    "counter_add": Workload(Client.counter_add, Client.counter_zero, Client.counter_sum, "operations"),
    "create_drop": Workload(Client.create_drop, None, Client.objects_left, "nothing"),
}


class Line:
    """One end of a parent-client socket pair; 64-bit integers."""

    def __init__(self, end):
        self.socket = end

    def send(self, number):
        self.socket.sendall(struct.pack("q", number))

    def receive(self):
        return self.receive_array(1)[0]

    def send_array(self, numbers):
        self.socket.sendall(numbers)

    def receive_array(self, count):
        numbers = array.array("q", bytes(8 * count))
        if self.socket.recv_into(numbers, 8 * count, socket.MSG_WAITALL) != 8 * count:
            raise RuntimeError("the other side of the cell is gone")
        return numbers


def run_client(cell, workload, index, parent, gate):
    keys = ["key:%06d" % i for i in range(KEY_COUNT)]
    now_ns = time.monotonic_ns
    client = Client(cell)
    if workload.fill:
        for i in range(index, KEY_COUNT, cell.clients):
            workload.fill(client, keys[i])
    place = index * KEY_COUNT // cell.clients
    operation = workload.operation

    parent.send(1)
    warm_up_end = now_ns() + parent.receive()
    warm_up_count = 0
    while True:
        operation(client, keys[place])
        place = (place + 1) % KEY_COUNT
        warm_up_count += 1
        if now_ns() >= warm_up_end:
            break
    parent.send(warm_up_count)

    count = parent.receive()
    samples = array.array("q", bytes(8 * count))
    parent.send(1)
    if os.read(gate, 1):
        raise RuntimeError("the start gate is broken")

    for i in range(count):
        begin = now_ns()
        operation(client, keys[place])
        place = (place + 1) % KEY_COUNT
        samples[i] = now_ns() - begin
    parent.send(now_ns())
    parent.receive()
    parent.send_array(samples)


Result = collections.namedtuple("Result", "operations warm_up_operations seconds samples")


def run_parent(cell, clients, gate):
    for client in clients:
        client.receive()
    for client in clients:
        client.send(int(cell.warm_up_seconds * 1e9))
    warm_up_operations = sum(client.receive() for client in clients)
    count = max(1, round(warm_up_operations / cell.warm_up_seconds * cell.seconds / cell.clients))
    for client in clients:
        client.send(count)
    for client in clients:
        client.receive()

    start = time.monotonic_ns()
    os.close(gate)
    end = max(client.receive() for client in clients)
    samples = []
    for client in clients:
        client.send(1)
        samples.extend(client.receive_array(count))
    samples.sort()
    return Result(count * cell.clients, warm_up_operations, (end - start) / 1e9, samples)


def check_and_remove(cell, workload, result):
    client = Client(cell)
    left = workload.count_left(client)
    expected = {"keys": KEY_COUNT, "operations": result.operations + result.warm_up_operations, "nothing": 0}
    # With several clients the additions are known to lose updates; see counter_add.
    lossy = workload is WORKLOADS["counter_add"] and cell.clients > 1
    if left != expected[workload.leaves] and not (lossy and left < expected[workload.leaves]):
        raise RuntimeError(f"{cell.workload} left {left} behind, not {expected[workload.leaves]}")
    client.remove()


def fork_client(cell, workload, index, others, gate_read, gate_write):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, Line(ours)
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(gate_write)
        for line in others + [Line(ours)]:
            line.socket.close()
        run_client(cell, workload, index, Line(theirs), gate_read)
        status = 0
    except BaseException as error:
        print(f"client {index}: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def run_cell(cell):
    workload = WORKLOADS[cell.workload]
    gate_read, gate_write = os.pipe()
    pids, lines = [], []
    for index in range(cell.clients):
        pid, line = fork_client(cell, workload, index, lines, gate_read, gate_write)
        pids.append(pid)
        lines.append(line)
    result = run_parent(cell, lines, gate_write)
    for pid in pids:
        if os.waitpid(pid, 0)[1] != 0:
            raise RuntimeError("a client failed")
    check_and_remove(cell, workload, result)

    def percentile_us(share):
        return result.samples[max(1, math.ceil(share * len(result.samples))) - 1] / 1e3

    print(json.dumps({"operations": result.operations, "seconds": round(result.seconds, 6),
                      "ops_per_s": round(result.operations / result.seconds, 1),
                      "p50_us": round(percentile_us(0.50), 2), "p99_us": round(percentile_us(0.99), 2)}))


def parse_cell():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--workload", required=True, choices=WORKLOADS)
    parser.add_argument("--object", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up-seconds", type=float, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        run_cell(parse_cell())
