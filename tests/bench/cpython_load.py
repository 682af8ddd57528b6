#!/usr/bin/python3
"""CPython's multiprocessing under the same load as load.hpp makes; the stations are described there.

  cpython_load.py serve                 runs a manager on its default unix socket, prints the address, serves
  cpython_load.py --address A ...       one cell with that manager; prints one JSON line
  cpython_load.py --native ...          one cell with locks, queues and pools of multiprocessing's own
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

import cpython_clients
from cpython_clients import KEY_COUNT, ManagerClient, NativeClient

PR_SET_PDEATHSIG = 1


def serve():
    cpython_clients.register_shared_types(cpython_clients.SharedObjects())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # an orderly exit removes the socket's directory
    server = cpython_clients.BenchManager(authkey=cpython_clients.AUTHKEY).get_server()
    print(server.address, flush=True)
    server.serve_forever()


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


def warm_up_alone(parent, operate):
    end = time.monotonic_ns() + parent.receive()
    count = 0
    while True:
        operate()
        count += 1
        if time.monotonic_ns() >= end:
            break
    parent.send(count)


def warm_up_together(parent, operate):
    while count := parent.receive():
        for _ in range(count):
            operate()
        parent.send(1)


def run_client(cell, workload, parent, gate):
    keys = ["key:%06d" % i for i in range(KEY_COUNT)]
    now_ns = time.monotonic_ns
    client = cell.client_type(cell)
    if workload.fill:
        for i in range(cell.index, KEY_COUNT, cell.clients):
            workload.fill(client, keys[i])
    place = cell.index * KEY_COUNT // cell.clients
    operation = workload.operation

    def operate():
        nonlocal place
        operation(client, keys[place])
        place = (place + 1) % KEY_COUNT

    parent.send(1)
    (warm_up_together if workload.is_paired else warm_up_alone)(parent, operate)

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
    client.close()


Result = collections.namedtuple("Result", "operations warm_up_operations seconds samples")


def tell_all(clients, number):
    for client in clients:
        client.send(number)
    return sum(client.receive() for client in clients)


def warm_up(cell, workload, clients):
    """How many calls the clients made, and how many they would have made in cell.seconds, each."""
    if not workload.is_paired:
        calls = tell_all(clients, int(cell.warm_up_seconds * 1e9))
        return calls, calls / cell.warm_up_seconds * cell.seconds / cell.clients
    begin = time.monotonic()
    calls, elapsed, count = 0, 0, 16
    while elapsed < cell.warm_up_seconds:
        tell_all(clients, count)
        calls += count
        count *= 2
        elapsed = time.monotonic() - begin
    for client in clients:
        client.send(0)
    return calls, calls / elapsed * cell.seconds


def run_parent(cell, workload, clients, gate):
    for client in clients:
        client.receive()
    warm_up_calls, calls_each = warm_up(cell, workload, clients)
    count = max(1, round(calls_each))
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
    operations = count * workload.batch * (1 if workload.is_paired else cell.clients)
    return Result(operations, warm_up_calls * workload.batch, (end - start) / 1e9, samples)


def check_and_remove(cell, workload, result):
    client = cell.client_type(cell)
    left = workload.count_left(client)
    expected = {"keys": KEY_COUNT, "operations": result.operations + result.warm_up_operations, "nothing": 0}
    # With several clients the additions are known to lose updates; see counter_add.
    lossy = cell.workload == "counter_add" and cell.clients > 1
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
        cell.index = index
        run_client(cell, workload, Line(theirs), gate_read)
        status = 0
    except BaseException as error:
        print(f"client {index}: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def run_cell(cell):
    workload = cell.client_type.WORKLOADS[cell.workload]
    if workload.is_paired and cell.clients != 2:
        raise RuntimeError(f"{cell.workload} takes two clients")
    cell.index = -1
    cell.shared = cpython_clients.Shared()
    cell.client_type.prepare(cell)
    gate_read, gate_write = os.pipe()
    pids, lines = [], []
    for index in range(cell.clients):
        pid, line = fork_client(cell, workload, index, lines, gate_read, gate_write)
        pids.append(pid)
        lines.append(line)
    result = run_parent(cell, workload, lines, gate_write)
    for pid in pids:
        if os.waitpid(pid, 0)[1] != 0:
            raise RuntimeError("a client failed")
    check_and_remove(cell, workload, result)

    def percentile_us(share):
        return result.samples[max(1, math.ceil(share * len(result.samples))) - 1] / 1e3

    print(json.dumps({"operations": result.operations, "seconds": round(result.seconds, 6),
                      "ops_per_s": round(result.operations / result.seconds, 1),
                      "p50_us": round(percentile_us(0.50), 2), "p99_us": round(percentile_us(0.99), 2),
                      "p999_us": round(percentile_us(0.999), 2)}))


def parse_cell():
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--address")
    where.add_argument("--native", dest="client_type", action="store_const", const=NativeClient, default=ManagerClient)
    parser.add_argument("--workload", required=True, choices=ManagerClient.WORKLOADS)
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
