# SPDX-License-Identifier: GPL-2.0
"""The netlink specification, messages read strictly by it, and a socket to exchange them; for fuzz.py."""
import os
import re
import socket
import struct
import sys
from collections import defaultdict, deque

import yaml

REQUEST, MULTI, ACK, ECHO, DUMP_INTR, DUMP = 1, 2, 4, 8, 0x10, 0x300
CAPPED, ACK_TLVS = 0x100, 0x200  # of an answer
ERROR, DONE, CONTROL = 2, 3, 16
NESTED, NET_ORDER, KIND = 0x8000, 0x4000, 0x3FFF
HEADERS = 20
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 270, 1, 10, 11
NEWNET = 0x40000000
NUMBERS = {f"{sign}{bits}": (bits // 8, sign == "s") for sign in "us" for bits in (8, 16, 32, 64)}
ENDLESS = 20000  # datagrams
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)


class Malformed(Exception):
    """What the specification does not allow."""


class Attribute:
    def __init__(self, space, number, entry, spec):
        checks = {key: spec.constant(value) for key, value in entry.get("checks", {}).items()}
        self.number, self.name, self.type = number, entry["name"], entry["type"]
        self.multi, self.inside = entry.get("multi-attr", False), entry.get("nested-attributes")
        self.names = spec.enums.get(entry.get("enum"), {})
        self.exact, self.max_len = checks.get("exact-len"), checks.get("max-len")
        if self.type in NUMBERS:
            self.size, self.signed = NUMBERS[self.type]
            bits = self.size * 8
            self.floor, self.roof = (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)
            self.low, self.high = checks.get("min", self.floor), checks.get("max", self.roof)
            self.like = space, number
        elif self.type not in ("string", "binary", "flag", "nest"):
            sys.exit(f"teach the fuzzer the type {self.type}, of {self.name}")
        # Of such attributes, a value of one may well suit another.
        self.like = getattr(self, "like", (self.type, self.exact, self.inside))
        # The specification says in words what an absent attribute means, and that there are more limits.
        doc = " ".join(entry.get("doc", "").split())
        self.default = next(iter(re.findall(r"Default ([\w-]+)", doc)), None)
        self.same_as = next(iter(re.findall(r"[Aa]bsent means the same as ([\w-]+)", doc)), None)
        self.rounded = "rounded up to a power of two" in doc
        self.limited = "at most" in doc or "refused" in doc

    def pack(self, number):
        return (number & ((1 << self.size * 8) - 1)).to_bytes(self.size, sys.byteorder)

    def value(self, data, spec, ours):
        """The value in words and numbers. What we send, `ours`, may be as sloppy as the kernel lets it be."""
        def check(right, what):
            if not right:
                raise Malformed(f"{self.name}: {what}: {data.hex() or 'nothing'}")
        if self.type in NUMBERS:
            check(len(data) == self.size, "wrong length")
            number = int.from_bytes(data, sys.byteorder, signed=self.signed)
            check(self.low <= number <= self.high, "out of range")
            check(not self.names or number in self.names, "not of the enum")
            return self.names.get(number, number)
        if self.type == "string":
            text, zero, rest = data.partition(b"\0")
            check(zero and (ours or not rest), "no zero at the end")
            check(self.max_len is None or len(data) <= self.max_len + 1, "too long")
            return text.decode("latin-1")
        if self.type == "nest":
            return spec.attributes(self.inside, data, None, ours)
        if self.type == "flag":
            check(not data, "wrong length")
            return True
        check(self.exact in (None, len(data)), "wrong length")
        check(self.max_len is None or len(data) <= self.max_len, "too long")
        return socket.inet_ntoa(data) if self.exact == 4 else data.hex()


class Operation:
    """`request` and `reply`: the names of the attributes, by mode."""

    def __init__(self, number, entry):
        self.number, self.name, self.space = number, entry["name"], entry["attribute-set"]
        self.kind, _, self.verb = self.name.rpartition("-")
        self.request, self.reply = {}, {}
        for mode in {"do", "dump"} & entry.keys():
            for way, table in (("request", self.request), ("reply", self.reply)):
                table[mode] = (entry[mode].get(way) or {}).get("attributes", [])
        if "event" in entry:
            self.reply["event"] = entry["event"]["attributes"]
        self.notify, self.group = entry.get("notify"), entry.get("mcgrp")


class Spec:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            # The loader in C: the other one needs seconds under emulation.
            tree = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.name, self.version = tree["name"], tree.get("version", 1)
        self.constants, self.enums = {}, {}
        for entry in tree["definitions"]:
            if entry["type"] == "const":
                self.constants[entry["name"]] = entry["value"]
            elif entry["type"] == "enum":
                self.enums[entry["name"]] = self.enum(entry)
        self.sets, self.parents = {}, {}
        for space in tree["attribute-sets"]:
            name, parent = space["name"], space.get("subset-of")
            if parent:
                self.parents[name] = parent
                some = {entry["name"] for entry in space["attributes"]}
                self.sets[name] = {number: member for number, member in self.sets[parent].items() if member.name in some}
                continue
            numbered = self.numbered(space["attributes"])
            self.sets[name] = {number: Attribute(name, number, entry, self) for number, entry in numbered}
        self.ops = [Operation(number, entry) for number, entry in self.numbered(tree["operations"]["list"])]
        self.op = {op.name: op for op in self.ops}
        self.by_number = {op.number: op for op in self.ops}
        for op in self.ops:
            if op.notify:
                op.reply["event"] = next(iter(self.op[op.notify].reply.values()))
        self.groups = [group["name"] for group in tree.get("mcast-groups", {}).get("list", [])]
        self.family, self.group_numbers = None, {}  # in the running kernel
        self.cache, self.seen = {}, defaultdict(lambda: deque(maxlen=16))

    @staticmethod
    def numbered(entries):
        number = 0
        for entry in entries:
            number = entry.get("value", number + 1)
            yield number, entry

    @staticmethod
    def enum(entry):
        names, number = {}, entry.get("value-start", 0) - 1
        for item in entry["entries"]:
            item = {"name": item} if isinstance(item, str) else item
            number = item.get("value", number + 1)
            names[number] = item["name"]
        return names

    def constant(self, value):
        limits = {f"{name}-max": (1 << 8 * size) - 1 for name, (size, signed) in NUMBERS.items() if not signed}
        return {**limits, **self.constants}.get(value, value)

    def several(self, op):
        """(kind, attribute): an operation may take many objects of a kind, each as its -add takes one."""
        for name in op.request.get("do", []):
            attribute = self.attribute(op.space, name)
            if op.verb == "add" and attribute.multi and attribute.inside in self.parents:
                return self.parents[attribute.inside], attribute
        return None, None

    def attribute(self, space, name):
        return next(attribute for attribute in self.sets[space].values() if attribute.name == name)

    def attributes(self, space, data, allowed=None, ours=False):
        """By name, a list of those that may be repeated; raises Malformed."""
        found = {}
        for _, kind, value in split(data):
            attribute = self.sets[space].get(kind & (KIND if ours else ~NESTED))
            if not attribute or allowed is not None and attribute.name not in allowed:
                raise Malformed(f"attribute {attribute.name if attribute else hex(kind)} does not belong here")
            if bool(kind & NESTED) != (attribute.type == "nest"):
                raise Malformed(f"{attribute.name}: NLA_F_NESTED is wrong")
            if not ours:
                self.seen[attribute.like].append(value)
            value = attribute.value(value, self, ours)
            if attribute.multi:
                found.setdefault(attribute.name, []).append(value)
            elif attribute.name in found:
                raise Malformed(f"{attribute.name} is there twice")
            else:
                found[attribute.name] = value
        return found

    def answer(self, flags, body):
        """The operation and the attributes of a message of the family."""
        mode = "dump" if flags & MULTI else "do"
        known = self.cache.get((mode, body))
        if not known:
            command, version, reserved = struct.unpack_from("=BBH", body) if len(body) >= 4 else (0, 0, 1)
            op = self.by_number.get(command)
            mode = mode if not op or mode in op.reply else next(iter(op.reply))
            if not op or version != self.version or reserved or mode not in op.reply:
                raise Malformed(f"an unknown message of the family: {body[:4].hex()} ({mode})")
            known = op, self.attributes(op.space, body[4:], op.reply[mode])
            if len(self.cache) > 5000:
                self.cache.clear()
            self.cache[mode, body] = known
        return known

    def describe(self, data):
        """A datagram that we sent, in words as far as there are some."""
        words = []
        for kind, flags, _, body in messages(data, lenient=True):
            op = self.by_number.get(body[0]) if body else None
            try:
                rest = str(self.attributes(op.space, body[4:], None, True)) if op else body.hex()
            except Malformed as error:
                rest = f"<{error}>"
            words.append(f"{op.name if op else '?'} flags {flags:#x} type {kind} {rest}")
        return "; ".join(words) or "no message"


def split(data):
    """(offset, type, value) of attributes in a row."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if not 4 <= length <= len(data) - at:
            raise Malformed(f"an attribute of length {length} with {len(data) - at} bytes left")
        yield at, kind, data[at + 4:at + length]
        at += (length + 3) & ~3
    if at < len(data):
        raise Malformed("bytes left over after the attributes")


def messages(data, lenient=False):
    """(type, flags, sequence number, body) of the messages in a datagram."""
    while len(data) >= 16:
        length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
        if not 16 <= length <= len(data):
            break
        yield kind, flags, seq, data[16:length]
        data = data[(length + 3) & ~3:]
    if data and not lenient:
        raise Malformed(f"a message is cut short: {data.hex()}")


def attr(kind, data, length=None):
    return struct.pack("=HH", (4 + len(data) if length is None else length) & 0xFFFF, kind) + data + bytes(-len(data) % 4)


def places(data, base=0):
    """Where attributes begin in what may be no attributes at all, nested ones included."""
    found = set()
    try:
        for at, kind, value in split(data):
            found.add(base + at)
            if kind & NESTED:
                found |= places(value, base + at + 4)
    except Malformed:
        pass
    return found


class Answer:
    """What came back for one request."""

    def __init__(self):
        self.code, self.message, self.offset, self.missing = None, "", None, None
        self.entries, self.flags, self.single = [], 0, False

    @property
    def explained(self):
        return bool(self.message or self.offset is not None or self.missing is not None)

    def explanation(self, data):
        for _, kind, value in split(data):
            if kind == 1:
                self.message = value.rstrip(b"\0").decode()
            elif kind == 2:
                self.offset, = struct.unpack("=I", value)
            elif kind == 5:
                self.missing, = struct.unpack("=I", value)


class Genl:
    """A socket of generic netlink in a namespace, given as a file that is open, or in this one."""

    def __init__(self, spec, netns=None):
        self.spec, self.seq = spec, 0
        if netns:
            os.setns(netns, NEWNET)
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        if netns:
            os.setns(HOME, NEWNET)
        self.sock.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self.sock.bind((0, 0))
        if not spec.family:
            self.resolve()

    @property
    def family(self):
        return self.spec.family or CONTROL

    def resolve(self):
        groups = {}
        body = struct.pack("=BBH", 3, 1, 0) + attr(2, self.spec.name.encode() + b"\0")
        self.sock.send(self.message(body))
        for _, _, _, answer in messages(self.sock.recv(1 << 16)):
            for _, kind, value in split(answer[4:]):
                if kind & KIND == 1:
                    family, = struct.unpack("=H", value)
                elif kind & KIND == 7:
                    for _, _, group in split(value):
                        fields = {kind & KIND: value for _, kind, value in split(group)}
                        groups[fields[1].rstrip(b"\0").decode()] = struct.unpack("=I", fields[2])[0]
        self.drain()
        self.spec.family, self.spec.group_numbers = family, groups

    def join(self):
        """Listens to all groups."""
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
        for number in self.spec.group_numbers.values():
            self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, number)

    def message(self, body, flags=REQUEST | ACK):
        self.seq += 1
        return struct.pack("=IHHII", 16 + len(body), self.family, flags, self.seq, 0) + body

    def command(self, op, attributes=b"", flags=REQUEST | ACK):
        return self.message(struct.pack("=BBH", self.spec.op[op].number, self.spec.version, 0) + attributes, flags)

    def datagrams(self):
        """The kernel has answered when send() returns, and goes on with a dump whenever some of it is read:
        what cannot be read at once will never come."""
        for _ in range(ENDLESS):
            try:
                yield self.sock.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
        raise Malformed("a list without end")

    def drain(self):
        return [message for data in self.datagrams() for message in messages(data)]

    def answers(self, received, sent=b"", unique=True):
        """By sequence number, which in what was mangled need not be unique."""
        found = {}
        length = {seq: len(body) for _, _, seq, body in messages(sent, lenient=True)}
        for kind, flags, seq, body in received:
            answer = found.setdefault(seq, Answer())
            if kind in (ERROR, DONE):
                if unique and answer.code is not None:
                    raise Malformed(f"two ends of the answer to message {seq}")
                answer.code = -struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
                if answer.code < 0:
                    raise Malformed(f"an error of number {answer.code}")
                if kind == DONE and answer.single:
                    raise Malformed("a list without NLM_F_MULTI; some libraries read no further than that")
                if flags & ACK_TLVS:
                    whole = kind == ERROR and not flags & CAPPED
                    answer.explanation(body[(4 if kind == DONE else 20) + (length.get(seq, 0) + 3 & ~3 if whole else 0):])
            elif kind == self.family:
                answer.entries.append(self.spec.answer(flags, body))
                answer.single |= not flags & MULTI
            else:
                raise Malformed(f"a message of type {kind}")
            answer.flags |= flags
        return found

    def ask(self, message):
        """The answer to one request that has to get one."""
        self.sock.send(message)
        seq = struct.unpack_from("=I", message, 8)[0]
        answers = self.answers(self.drain(), message)
        answer = answers.pop(seq, Answer())
        if answers:
            raise Malformed(f"answers to nothing that was asked: {sorted(answers)}")
        if answer.code is None:
            raise Malformed("no answer, or a list without end")
        return answer

    def list(self, op):
        answer = self.ask(self.command(op, flags=REQUEST | DUMP))
        if answer.code:
            raise Malformed(f"{op}: error {answer.code} {answer.message}")
        return [entry for _, entry in answer.entries], answer.flags
