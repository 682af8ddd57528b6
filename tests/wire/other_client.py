#!/usr/bin/env python3
"""A client in another language, written from the grammars in include/tandem/wire/ alone.

    other_client.py TANDEMD      starts a tandemd, speaks with it, checks every answer

It shares no code with tandem, so it shows that the grammars suffice.
"""

import hashlib
import hmac
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

MAGIC = b"TNDM"
VERSION = 2
REQUEST, REQUEST_PART, REPLY, REPLY_PART, FAULT, IDENTIFY = 1, 2, 3, 4, 5, 6
MORE, ONE_WAY, AGAIN = 1, 2, 16
OPEN, RESUME = 0, 3
WISH_LANE = 2
KEY_ERROR, OBJECT_GONE = 1, 6
MANAGER = 1
CREATE, RELEASE = 1, 8  # of the manager
DICT = 2  # type number, and of its operations:
AT, SET, ADD = 1, 3, 6


class Extension:
    def __init__(self, kind, body):
        self.kind, self.body = kind, body

    def __eq__(self, other):
        return (self.kind, self.body) == (other.kind, other.body)


# ---- MessagePack, the shortest forms ------------------------------------------------------------------------

def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if value >= 0:
            for limit, form in ((0x7f, "B"), (0xff, ">BB"), (0xffff, ">BH"), (0xffffffff, ">BI"), (2**64 - 1, ">BQ")):
                if value <= limit:
                    tag = {">BB": 0xcc, ">BH": 0xcd, ">BI": 0xce, ">BQ": 0xcf}.get(form)
                    return struct.pack(form, value) if tag is None else struct.pack(form, tag, value)
        for limit, form, tag in ((-32, "b", None), (-2**7, ">Bb", 0xd0), (-2**15, ">Bh", 0xd1), (-2**31, ">Bi", 0xd2),
                                 (-2**63, ">Bq", 0xd3)):
            if value >= limit:
                return struct.pack(form, value) if tag is None else struct.pack(form, tag, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xcb, value)
    if isinstance(value, str):
        body = value.encode()
        return sized(len(body), body, 0xa0, 32, 0xd9)
    if isinstance(value, bytes):
        return sized(len(value), value, None, 0, 0xc4)
    if isinstance(value, list):
        assert len(value) < 16
        return bytes([0x90 | len(value)]) + b"".join(map(pack, value))
    if isinstance(value, Extension):
        return b"\xc7" + bytes([len(value.body), value.kind]) + value.body
    raise TypeError(value)


def sized(size, body, fixed, fixed_max, tag8):
    if size < fixed_max:
        return bytes([fixed | size]) + body
    for form, tag, limit in ((">BB", tag8, 0xff), (">BH", tag8 + 1, 0xffff), (">BI", tag8 + 2, 0xffffffff)):
        if size <= limit:
            return struct.pack(form, tag, size) + body
    raise ValueError(size)


def unpack(data, at=0):
    """The value at a position, and the position behind it."""
    tag = data[at]
    if tag < 0x80:
        return tag, at + 1
    if tag >= 0xe0:
        return tag - 0x100, at + 1
    if 0x90 <= tag < 0xa0:
        items, at = [], at + 1
        for _ in range(tag & 15):
            item, at = unpack(data, at)
            items.append(item)
        return items, at
    if 0xa0 <= tag < 0xc0:
        end = at + 1 + (tag & 31)
        return data[at + 1:end].decode(), end
    if tag in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[tag], at + 1
    numbers = {0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
    if tag in numbers:
        form = numbers[tag]
        return struct.unpack_from(form, data, at + 1)[0], at + 1 + struct.calcsize(form)
    if tag in (0xd9, 0xda, 0xdb):
        form = {0xd9: ">B", 0xda: ">H", 0xdb: ">I"}[tag]
        begin = at + 1 + struct.calcsize(form)
        end = begin + struct.unpack_from(form, data, at + 1)[0]
        return data[begin:end].decode(), end
    if tag == 0xc7:
        end = at + 3 + data[at + 1]
        return Extension(data[at + 2], data[at + 3:end]), end
    raise ValueError(f"MessagePack tag {tag:#x}")


# ---- handshake and frames -----------------------------------------------------------------------------------

def proof(key, label, *parts):
    return hmac.new(key, label + b"".join(parts), hashlib.sha256).digest()


def answer(key, hello, nonce, pid, purpose=OPEN, session=0, secret=bytes(16), wishes=0, lane=0):
    body = MAGIC + struct.pack("<HHQ16sIIII", VERSION, purpose, session, secret, pid, wishes, lane, 0) + nonce
    return body + proof(key, b"tandem client", hello, body)


def request(number, target, op, arguments, flags=0, actor=1):
    body = struct.pack("<BBHIIQ", REQUEST, flags, op, number, actor, target) + arguments
    return struct.pack("<I", len(body)) + body


def part(number, payload, more):
    body = struct.pack("<BBHI", REQUEST_PART, MORE if more else 0, 0, number) + payload
    return struct.pack("<I", len(body)) + body


# ---- speaking with a tandemd ----------------------------------------------------------------------------------

class Client:
    def __init__(self, path, key, **wanted):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        hello = self.receive(56)
        magic, version, zero = struct.unpack_from("<4sHH", hello)
        assert (magic, version, zero) == (MAGIC, VERSION, 0), hello
        said = answer(key, hello, os.urandom(32), os.getpid(), **wanted)
        self.socket.sendall(said)
        welcome = self.receive(12)
        magic, version, code = struct.unpack_from("<4sHH", welcome)
        if code != 0:
            text = self.receive(struct.unpack_from("<I", welcome, 8)[0])
            raise PermissionError(code, text.decode())
        welcome += self.receive(144 - len(welcome))
        assert welcome[112:] == proof(key, b"tandem server", hello, said, welcome[:112]), "the manager has another key"
        self.session, self.secret, self.frame_bytes_max = struct.unpack_from("<Q16sQ", welcome, 8)
        self.lane, zero, self.resume_ms, self.grace_ms, self.start = struct.unpack_from("<IIQQQ", welcome, 80)
        self.last = 0

    def receive(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "the manager closed the channel"
            data += more
        return data

    def call(self, target, op, *arguments):
        self.last += 1
        payload = pack(list(arguments))
        room = self.frame_bytes_max - 24
        self.socket.sendall(request(self.last, target, op, payload[:room], MORE if len(payload) > room else 0))
        at = room
        while at < len(payload):
            end = at + self.frame_bytes_max - 12
            self.socket.sendall(part(self.last, payload[at:end], end < len(payload)))
            at = end
        return self.hear(self.last)

    def hear(self, number):
        whole, code = b"", 0
        while True:
            body = self.receive(struct.unpack("<I", self.receive(4))[0])
            kind, byte, flags, heard = struct.unpack_from("<BBHI", body)
            assert kind in (REPLY, REPLY_PART) and heard == number, body
            code = byte if kind == REPLY else code
            whole += body[8:]
            if not flags & MORE:
                value, end = unpack(whole)
                assert end == len(whole)
                return code, value


class Manager:
    """A tandemd in a folder, which is stopped in the end."""

    def __init__(self, tandemd, folder, key, *flags):
        self.path = f"{folder}/socket"
        key_file = f"{folder}/key"
        if not os.path.exists(key_file):
            with open(os.open(key_file, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(key)
        self.process = subprocess.Popen([tandemd, "--listen", f"unix:{self.path}", "--authkey-file", key_file,
                                         "--log-level", "off", *flags], stdout=subprocess.PIPE)
        assert b"ready" in self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0

    def kill(self):
        self.process.kill()
        self.process.wait()


def talk(tandemd):
    key = os.urandom(20).hex().encode()
    with tempfile.TemporaryDirectory() as folder:
        with Manager(tandemd, folder, key, "--frame-bytes-max", "4096") as manager:
            speak(manager.path, key)
    with tempfile.TemporaryDirectory() as folder:
        resume(tandemd, folder, key)


def resume(tandemd, folder, key):
    """What was asked of a manager that is killed is carried out once, though it is asked twice."""
    journal = ("--journal", f"{folder}/journal")
    manager = Manager(tandemd, folder, key, *journal)
    client = Client(manager.path, key, wishes=WISH_LANE)
    assert (client.lane, client.start) == (1, 1) and client.resume_ms and client.grace_ms
    _, (made, _) = client.call(MANAGER, CREATE, "dict", ["scores"], [])
    target = struct.unpack("<Q", made.body[1:])[0]
    asked = request(2, target, ADD, pack(["Ada", 1, [0]]))
    client.socket.sendall(asked)
    client.receive(1)  # the beginning of the reply: it was carried out
    manager.kill()
    with Manager(tandemd, folder, key, *journal) as again:
        client = Client(again.path, key, purpose=RESUME, session=client.session, secret=client.secret,
                        wishes=WISH_LANE, lane=client.lane)
        assert (client.lane, client.start) == (1, 2)
        client.last = 2
        client.socket.sendall(request(2, target, ADD, pack(["Ada", 1, [0]]), AGAIN))
        assert client.hear(2) == (0, 1)
        assert client.call(target, AT, "Ada") == (0, 1)
    print("a lane was resumed over a restart, and nothing was done twice")


def speak(path, key):
    try:
        Client(path, b"another key")
        raise AssertionError("let in with another key")
    except PermissionError as refused:
        print("refused, as it should be:", refused)
    client = Client(path, key)
    code, (made, new) = client.call(MANAGER, CREATE, "dict", ["scores"], [])
    assert (code, made.kind, made.body[0], new) == (0, 1, DICT, True)
    target = struct.unpack("<Q", made.body[1:])[0]
    assert client.call(target, SET, "Ada", 3) == (0, True)
    assert client.call(target, AT, "Ada") == (0, 3)
    assert client.call(target, ADD, "Ada", 0.5, []) == (0, 3.5)
    assert client.call(target, SET, True, "one") == (0, True)
    assert client.call(target, AT, 1.0) == (0, "one")
    code, text = client.call(target, AT, "Eve")
    assert code == KEY_ERROR and "Eve" in text, (code, text)
    large = "x" * 20_000
    assert client.call(target, SET, "large", large) == (0, True)
    assert client.call(target, AT, "large") == (0, large)
    code, text = client.call(999, AT, 1)
    assert code == OBJECT_GONE, (code, text)
    print("everything was answered as the grammar says")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    talk(sys.argv[1])
