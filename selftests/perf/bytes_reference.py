# SPDX-License-Identifier: GPL-2.0
"""Frames as fastnat_bench makes them and as a gateway has to forward them: plain, slow, from scratch."""

import collections
import functools
import socket
import struct

TAG = 0xFA57
RECORD = struct.Struct("!4s4sHHB3x")
UDP, TCP = 17, 6
# The devices, and the hosts behind them: inside, outside.
DEVICES = bytes.fromhex("020000000001"), bytes.fromhex("020000000101")
HOSTS = bytes.fromhex("020000000002"), bytes.fromhex("020000000102")


class Flow(collections.namedtuple("Flow", "saddr daddr sport dport proto")):
    """A tuple, as one end sends it."""

    __slots__ = ()

    def record(self):
        return RECORD.pack(socket.inet_aton(self.saddr), socket.inet_aton(self.daddr), self.sport, self.dport, self.proto)

    def reversed(self):
        return Flow(self.daddr, self.saddr, self.dport, self.sport, self.proto)


def records(data):
    """The flows of an array, None where there is none."""
    flows = []
    for source, destination, sport, dport, proto in RECORD.iter_unpack(data):
        flows.append(Flow(socket.inet_ntoa(source), socket.inet_ntoa(destination), sport, dport, proto) if proto else None)
    return flows


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source, destination, proto, length):
    return source + destination + struct.pack("!BBH", 0, proto, length)


def header_ip(source, destination, proto, length, ident, ttl):
    plain = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, ident, 0x4000, ttl, proto, 0) + source + destination
    return plain[:10] + struct.pack("!H", checksum(plain)) + plain[12:]


def with_checksum(segment, at, source, destination, proto, none):
    """The segment with its checksum at an offset; none: UDP that goes without."""
    plain = segment[:at] + b"\0\0" + segment[at + 2:]
    if none:
        return plain
    value = checksum(pseudo(source, destination, proto, len(plain)) + plain)
    if proto == UDP and value == 0:
        value = 0xFFFF
    return plain[:at] + struct.pack("!H", value) + plain[at + 2:]


@functools.cache
def filler(length):
    """Each octet's place, behind the sequence."""
    return bytes(i & 255 for i in range(10, length))


def payload(index, seq, length):
    """The index, a tag, the sequence, filler; cut where the packet ends."""
    if length < 10:
        return struct.pack("!IH", index, TAG) + bytes(length - 6)
    return struct.pack("!IHI", index, TAG, seq) + filler(length)


def original(flow, index, seq, in_burst, back, way):
    """What the source sends; way: the words of the run."""
    source, destination = socket.inet_aton(flow.saddr), socket.inet_aton(flow.daddr)
    length = int(way.get("len", 60)) - 34
    if flow.proto == UDP:
        data = payload(index, seq, length - 8)
        segment, at = struct.pack("!HHHH", flow.sport, flow.dport, length, 0) + data, 6
    else:
        data = payload(index, seq, length - 20)
        first = 1 + in_burst * len(data)
        segment, at = struct.pack("!HHIIBBHHH", flow.sport, flow.dport, first, 1, 5 << 4, 0x10, 0xFFFF, 0, 0) + data, 16
    segment = with_checksum(segment, at, source, destination, flow.proto, flow.proto == UDP and way.get("csum") == "zero")
    ip = header_ip(source, destination, flow.proto, length, seq & 0xFFFF, int(way.get("ttl", 64)))
    return DEVICES[back] + HOSTS[back] + b"\x08\0" + ip + segment


def translate(frame, flow, back):
    """The same packet as the gateway has to send it: as this flow, one hop older, on the other wire."""
    source, destination = socket.inet_aton(flow.saddr), socket.inet_aton(flow.daddr)
    segment = struct.pack("!HH", flow.sport, flow.dport) + frame[38:]
    at = 6 if flow.proto == UDP else 16
    none = flow.proto == UDP and frame[40:42] == b"\0\0"
    segment = with_checksum(segment, at, source, destination, flow.proto, none)
    ident, ttl = struct.unpack("!H", frame[18:20])[0], frame[22] - 1
    ip = header_ip(source, destination, flow.proto, len(segment), ident, ttl)
    return HOSTS[not back] + DEVICES[not back] + b"\x08\0" + ip + segment


class Wire(collections.namedtuple("Wire", "index seq")):
    """What a packet says of itself."""

    __slots__ = ()

    @staticmethod
    def read(packet, length):
        """None if it is not one of a run with frames of that length. Sequences are below 65536."""
        if len(packet) != length or packet[12:14] != b"\x08\0" or packet[14] != 0x45 or packet[23] not in (TCP, UDP):
            return None
        start = 34 + (8 if packet[23] == UDP else 20)
        index, tag = struct.unpack_from("!IH", packet, start)
        return Wire(index, struct.unpack_from("!H", packet, 18)[0]) if tag == TAG else None


def kept_packets(data):
    """The packets of a pcap file of this machine."""
    at = 24
    while at < len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        yield data[at + 16:at + 16 + length]
        at += 16 + length


FIELDS = ((0, 6, "to"), (6, 12, "from"), (12, 14, "type"), (14, 18, "IP"), (18, 20, "identification"),
          (20, 22, "fragment"), (22, 23, "TTL"), (23, 24, "protocol"), (24, 26, "IP checksum"), (26, 30, "source"),
          (30, 34, "destination"), (34, 36, "source port"), (36, 38, "destination port"))


def describe(have, want):
    """Where two frames differ, in words."""
    if len(have) != len(want):
        return f"{len(have)} octets, want {len(want)}: {have[:64].hex()}"
    where = [i for i in range(len(have)) if have[i] != want[i]]
    names = []
    for begin, end, name in FIELDS:
        if any(begin <= i < end for i in where):
            names.append(f"{name} {have[begin:end].hex()}, want {want[begin:end].hex()}")
    rest = [i for i in where if i >= 38]
    if rest:
        begin, end = rest[0] & ~1, rest[-1] + 1
        names.append(f"octets {begin} to {end - 1} are {have[begin:end].hex()[:64]}, want {want[begin:end].hex()[:64]}")
    return "; ".join(names)
