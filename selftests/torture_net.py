# SPDX-License-Identifier: GPL-2.0
"""What the workers of torture.py share: the control of one gateway over netlink, packets, and the reins by
which they are stopped. The netlink client is that of the fuzzer."""
import errno
import mmap
import os
import select
import socket
import struct
import time

from fuzz_spec import ACK, DUMP, NESTED, NUMBERS, REQUEST, Genl, Malformed, attr, messages

NEWNET = 0x40000000
SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))


class Wrong(Exception):
    """What must not happen."""


def enter(namespace):
    """From here on this process is in the namespace."""
    target = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    os.setns(target, NEWNET)
    os.close(target)


class Reins:
    """Memory that all workers share: each asks go() before it does something."""
    RUN, PAUSE, STOP = range(3)

    def __init__(self, slots=64):
        self.memory = mmap.mmap(-1, slots + 1)
        self.slot = 0

    def all(self, state):
        self.memory[0] = state

    def go(self, delay=0.0):
        """False when all is over. While there is a pause it does not return."""
        if delay:
            time.sleep(delay)
        while self.memory[0] == self.PAUSE:
            self.memory[self.slot] = 1
            time.sleep(0.02)
        self.memory[self.slot] = 0
        return self.memory[0] == self.RUN

    def rests(self, slot):
        return self.memory[slot] == 1


def pack(spec, space, values):
    """Attributes by name and value; several if the value is a list."""
    data = b""
    for name, value in values.items():
        attribute = spec.attribute(space, name)
        for one in value if isinstance(value, list) else [value]:
            data += pack_one(spec, attribute, one)
    return data


def pack_one(spec, attribute, value):
    if attribute.type in NUMBERS:
        number = next((key for key, name in attribute.names.items() if name == value), value)
        return attr(attribute.number, attribute.pack(number))
    if attribute.type == "nest":
        return attr(attribute.number | NESTED, pack(spec, attribute.inside, value))
    if attribute.type == "flag":
        return attr(attribute.number, b"") if value else b""
    return attr(attribute.number, socket.inet_aton(value) if attribute.exact == 4 else value.encode() + b"\0")


class Gateway:
    """fastnat in the namespace of this process. The module may go and come back at any time."""

    def __init__(self, spec):
        self.spec, self.genl = spec, None
        self.done = 0

    def connect(self):
        if self.genl:
            self.genl.close()
        self.genl = None
        try:
            self.genl = Genl(self.spec)
        except (Malformed, KeyError):
            return False
        return True

    def away(self):
        """The module is gone."""
        if self.genl:
            self.genl.close()
        self.genl = None
        time.sleep(0.02)

    def ask(self, op, values=None, may=(), dump=False):
        """The entries of the answer. None if the module is away, or if one of the errors of `may` was the answer."""
        if not self.genl and not self.connect():
            self.away()
            return None
        values = values or {}
        body = pack(self.spec, self.spec.op[op].space, values)
        answer = self.genl.ask(self.genl.command(op, body, REQUEST | (DUMP if dump else ACK)))
        if not answer.code:
            self.done += 1
            return [entry for _, entry in answer.entries]
        name = errno.errorcode.get(answer.code, str(answer.code))
        if answer.code == errno.ENOENT and not answer.explained:
            self.away()
        elif name not in may:
            raise Wrong(f"{op} {values}: {name} {answer.message!r}")
        elif not answer.explained:
            raise Wrong(f"{op} {values}: {name} without a word")
        return None

    def must(self, op, values=None, dump=False):
        """As ask(), where the module is there and nothing may be refused."""
        entries = self.ask(op, values, (), dump)
        if entries is None:
            raise Wrong(f"{op} {values}: the module is not there")
        return entries

    def list(self, op):
        return self.must(op, dump=True)

    def half(self, op):
        """Begins to read a list, and leaves the rest."""
        other = Gateway(self.spec)
        if not other.connect():
            return None
        genl = other.genl
        genl.sock.send(genl.command(op, flags=REQUEST | DUMP))
        try:
            genl.answers(messages(genl.sock.recv(1 << 16, socket.MSG_DONTWAIT)))
        except BlockingIOError:
            raise Wrong(f"{op}: no answer") from None
        self.done += 1
        return genl


# Packets, with the checksums that they need.

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(src, sport, dst, dport, body):
    length = 8 + len(body)
    ends = socket.inet_aton(src) + socket.inet_aton(dst)
    head = struct.pack("!HHHH", sport, dport, length, 0)
    total = checksum(ends + struct.pack("!HH", 17, length) + head + body) or 0xFFFF
    return struct.pack("!BBHHHBBH8s", 0x45, 0, 20 + length, 0, 0, 64, 17, 0, ends) + head[:6] + struct.pack("!H", total) + body


def echo_request(number, seq, body):
    message = struct.pack("!BBHHH", 8, 0, 0, number, seq) + body
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


MAGIC = b"fastnat?"


def sealed(src, sport, dst, dport):
    """What a datagram says of itself."""
    return MAGIC + struct.pack("!4sH4sH", socket.inet_aton(src), sport, socket.inet_aton(dst), dport)


def unsealed(body):
    """(source, destination) of the datagram, or None for another one."""
    if len(body) != len(MAGIC) + 12 or not body.startswith(MAGIC):
        return None
    src, sport, dst, dport = struct.unpack("!4sH4sH", body[len(MAGIC):])
    return (socket.inet_ntoa(src), sport), (socket.inet_ntoa(dst), dport)


def readable(socks, seconds):
    return select.select(socks, [], [], seconds)[0]
