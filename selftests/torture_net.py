# SPDX-License-Identifier: GPL-2.0
"""What the workers of torture.py share: the control of one gateway over netlink, packets, and the reins by
which they are stopped."""
import errno
import mmap
import os
import select
import socket
import struct
import time

from torture_netlink import Genl

SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))


class Wrong(Exception):
    """What must not happen."""


class Reins:
    """Memory that all workers share: each asks go() before it does something."""
    RUN, PAUSE, STOP = range(3)

    def __init__(self, slots=62):
        self.memory = mmap.mmap(-1, slots + 2)
        self.slot, self.parent = 1, os.getpid()

    def all(self, state):
        self.memory[0] = state

    @property
    def hands_off(self):
        """The module is about to go: who reads a list lets go of it."""
        return self.memory[1]

    @hands_off.setter
    def hands_off(self, value):
        self.memory[1] = value

    def go(self, delay=0.0):
        """False when all is over. While there is a pause it does not return."""
        if delay:
            time.sleep(delay)
        while self.memory[0] == self.PAUSE:
            self.rest(1)
            time.sleep(0.02)
        self.rest(0)
        return self.memory[0] == self.RUN and os.getppid() == self.parent

    def rest(self, resting):
        if self.slot > 1:
            self.memory[self.slot] = resting

    def rests(self, slot):
        return self.memory[slot] == 1


class Gateway:
    """fastnat in the namespace of this process. The module may go and come back at any time."""

    def __init__(self, spec):
        self.spec, self.genl = spec, None
        self.done = self.connected = 0

    def connect(self):
        """False if the module is not there."""
        self.close()
        genl = Genl(self.spec)
        if genl.family is None:
            genl.close()
            return False
        self.genl = genl
        self.connected += 1
        return True

    def close(self):
        if self.genl:
            self.genl.close()
        self.genl = None

    def ask(self, op, values=None, may=(), dump=False):
        """The entries of the answer. None if the module is away, or if one of the errors of `may` was the answer."""
        if not self.genl and not self.connect():
            time.sleep(0.02)
            return None
        answer = self.genl.ask(op, values, dump)
        if not answer.code:
            self.done += 1
            return answer.entries
        name = errno.errorcode.get(answer.code, str(answer.code))
        # There is no such family, or no list of a module that is about to go.
        if name in ("ENOENT", "EPROTONOSUPPORT") and not answer.words:
            self.close()
        elif name not in may:
            raise Wrong(f"{op} {values}: {name} {answer.words!r}")
        elif not answer.words:
            raise Wrong(f"{op} {values}: {name} without a word")
        return None

    def must(self, op, values=None, dump=False):
        """As ask(), where the module is there and nothing may be refused."""
        entries = self.ask(op, values, (), dump)
        if entries is None:
            raise Wrong(f"{op} {values}: the module is not there")
        return entries

    def half(self, op):
        """Begins to read a list, and leaves the rest. None if the module is away."""
        genl = Genl(self.spec)
        if genl.family is None:
            return None
        genl.half(op)
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
