# SPDX-License-Identifier: GPL-2.0
"""A small client of fastnat's netlink family that knows names and numbers from the specification; for torture.py
and faults.py."""
import os
import socket
import struct
import sys

import yaml

REQUEST, ACK, DUMP_INTR, DUMP = 1, 4, 0x10, 0x300
CAPPED, ACK_TLVS = 0x100, 0x200
ERROR, DONE, CONTROL = 2, 3, 16
NESTED, KIND = 0x8000, 0x3FFF
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 270, 1, 10, 11
WIDTH = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


class Spec:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            # The loader in C: the other one needs seconds under emulation.
            tree = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.name = tree["name"]
        self.enums = {entry["name"]: [item["name"] for item in entry["entries"]] for entry in tree["definitions"] if entry["type"] == "enum"}
        spaces = {entry["name"]: entry for entry in tree["attribute-sets"]}
        # A subset has the numbers of the set that it is of, and here all of its attributes.
        self.sets = {name: dict(enumerate(spaces[entry.get("subset-of", name)]["attributes"], 1)) for name, entry in spaces.items()}
        self.ops = {op["name"]: (number, op["attribute-set"], op.get("mcgrp")) for number, op in enumerate(tree["operations"]["list"], 1)}
        self.commands = {number: (name, space, group) for name, (number, space, group) in self.ops.items()}

    def pack(self, space, values):
        """Attributes by name and value; several if the value is a list."""
        data = b""
        for name, value in values.items():
            number, entry = next((number, entry) for number, entry in self.sets[space].items() if entry["name"] == name)
            for one in value if isinstance(value, list) else [value]:
                data += attr(*self.pack_one(number, entry, one))
        return data

    def pack_one(self, number, entry, value):
        kind = entry["type"]
        if kind in WIDTH:
            value = self.enums[entry["enum"]].index(value) if isinstance(value, str) else value
            return number, value.to_bytes(WIDTH[kind], sys.byteorder)
        if kind == "nest":
            return number | NESTED, self.pack(entry["nested-attributes"], value)
        if kind == "flag":
            return number, b""
        return number, socket.inet_aton(value) if kind == "binary" else value.encode() + b"\0"

    def unpack(self, space, data):
        values = {}
        for kind, value in split(data):
            entry = self.sets[space][kind & KIND]
            value = self.unpack_one(entry, value)
            if entry.get("multi-attr"):
                values.setdefault(entry["name"], []).append(value)
            else:
                values[entry["name"]] = value
        return values

    def unpack_one(self, entry, data):
        kind = entry["type"]
        if kind in WIDTH:
            number = int.from_bytes(data, sys.byteorder)
            return self.enums[entry["enum"]][number] if "enum" in entry else number
        if kind == "nest":
            return self.unpack(entry["nested-attributes"], data)
        if kind == "flag":
            return True
        return socket.inet_ntoa(data) if kind == "binary" else data.rstrip(b"\0").decode()


def attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def split(data):
    """(type, value) of attributes in a row."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:length]
        data = data[(max(length, 4) + 3) & ~3:]


def messages(data):
    """(type, flags, body) of the messages in a datagram."""
    while len(data) >= 16:
        length, kind, flags, _, _ = struct.unpack_from("=IHHII", data)
        yield kind, flags, data[16:length]
        data = data[(length + 3) & ~3:]


class Answer:
    def __init__(self):
        self.code, self.words, self.entries, self.flags = None, "", [], 0


class Genl:
    """A socket of generic netlink in the namespace of this process."""

    def __init__(self, spec):
        self.spec = spec
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 16)
        for option in CAP_ACK, EXT_ACK:
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.sock.bind((0, 0))
        self.family, self.groups = self.resolve()

    def resolve(self):
        """None for the family if there is none: the module is not there."""
        family, groups = None, {}
        self.sock.send(self.message(CONTROL, 3, 1, attr(2, self.spec.name.encode() + b"\0"), REQUEST))
        for kind, _, body in messages(self.sock.recv(1 << 16)):
            for number, value in split(body[4:]) if kind == CONTROL else ():
                if number & KIND == 1:
                    family, = struct.unpack("=H", value)
                elif number & KIND == 7:
                    for _, group in split(value):
                        fields = {number & KIND: value for number, value in split(group)}
                        groups[fields[1].rstrip(b"\0").decode()] = struct.unpack("=I", fields[2])[0]
        return family, groups

    @staticmethod
    def message(family, command, version, body, flags):
        return struct.pack("=IHHIIBBH", 20 + len(body), family, flags, 1, 0, command, version, 0) + body

    def send(self, op, values, dump):
        number, space, _ = self.spec.ops[op]
        body = self.spec.pack(space, values)
        self.sock.send(self.message(self.family, number, 1, body, REQUEST | (DUMP if dump else ACK)))

    def ask(self, op, values=None, dump=False):
        self.send(op, values or {}, dump)
        answer = Answer()
        while answer.code is None:
            self.take(answer, self.sock.recv(1 << 17))
        return answer

    def take(self, answer, data):
        """The kernel may answer a list with an end only, and a request with a reply and an acknowledgement."""
        for kind, flags, body in messages(data):
            answer.flags |= flags & DUMP_INTR
            if kind in (ERROR, DONE):
                answer.code = -struct.unpack_from("=i", body)[0]
                for number, value in split(body[4 if kind == DONE else 20:]) if flags & ACK_TLVS else ():
                    if number == 1:
                        answer.words = value.rstrip(b"\0").decode()
            else:
                answer.entries.append(self.event(body)[1])

    def event(self, body):
        """The group of an event, and what it says; of a reply too."""
        _, space, group = self.spec.commands[body[0]]
        return group, self.spec.unpack(space, body[4:])

    def half(self, op):
        """The first part of a list."""
        self.send(op, {}, True)
        self.take(Answer(), self.sock.recv(1 << 17))

    def join(self, group):
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])

    def close(self):
        self.sock.close()


def enter(namespace):
    """From here on this thread is in the namespace."""
    target = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    os.setns(target, 0x40000000)
    os.close(target)
