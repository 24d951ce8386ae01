# SPDX-License-Identifier: GPL-2.0
"""Packets octet by octet, right ones and wrong ones, and what can be read back of them; for hostile.py."""
import socket
import struct

ICMP, TCP, UDP = 1, 6, 17


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put16(data, at, value):
    return data[:at] + struct.pack("!H", value & 0xFFFF) + data[at + 2:]


def mend(packet):
    """With the right checksum in a header without options."""
    return put16(packet, 10, checksum(put16(packet[:20], 10, 0)))


def ip(src, dst, proto, body, *, ihl=None, version=4, length=None, ident=7, frag=0, ttl=64, options=b"", wrong=0):
    """An IPv4 packet; `wrong` is added to its header's checksum."""
    options += b"\0" * (-len(options) % 4)
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    length = 20 + len(options) + len(body) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, length, ident, frag, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    return put16(head, 10, checksum(head) + wrong) + body


def pseudo(src, dst, proto, length):
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", proto, length)


def udp(src, dst, sport, dport, data=b"hostile", *, length=None, csum=None, wrong=0, **header):
    size = 8 + len(data)
    body = struct.pack("!HHHH", sport, dport, size if length is None else length, 0) + data
    summed = body[:length] if length and 8 <= length <= size else body
    right = checksum(pseudo(src, dst, UDP, len(summed)) + summed) or 0xFFFF
    return ip(src, dst, UDP, put16(body, 6, right + wrong if csum is None else csum), **header)


def tcp(src, dst, sport, dport, data=b"", *, flags=0x10, offset=5, urgent=0, wrong=0, **header):
    body = struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, offset << 4, flags, 512, 0, urgent) + data
    right = checksum(pseudo(src, dst, TCP, len(body)) + body)
    return ip(src, dst, TCP, put16(body, 16, right + wrong), **header)


def icmp(src, dst, kind, code=0, rest=b"\0\0\0\0", data=b"", *, wrong=0, **header):
    body = bytes((kind, code, 0, 0)) + rest + data
    return ip(src, dst, ICMP, put16(body, 2, checksum(body) + wrong), **header)


def query(src, dst, kind=8, ident=77, data=b"0123456789abcdef", **header):
    return icmp(src, dst, kind, 0, struct.pack("!HH", ident, 1), data, **header)


def error(src, dst, quoted, kind=3, code=3, **header):
    return icmp(src, dst, kind, code, b"\0\0\0\0", quoted, **header)


def pieces(packet, *cuts):
    """Fragments of a packet without options, cut at these octets of its payload, multiples of 8."""
    head, body = packet[:20], packet[20:]
    bounds = [0, *cuts, len(body)]
    out = []
    for begin, end in zip(bounds, bounds[1:]):
        more = 0x2000 if end < len(body) else 0
        part = put16(put16(head, 2, 20 + end - begin), 6, more | begin // 8)
        out.append(mend(part) + body[begin:end])
    return out


class Seen:
    """A packet that came out, as far as it can be read."""

    def __init__(self, raw):
        self.raw = raw
        self.ihl = (raw[0] & 15) * 4
        length, = struct.unpack("!H", raw[2:4])
        self.packet = raw[:length]
        self.ttl, self.proto = raw[8], raw[9]
        self.src, self.dst = socket.inet_ntoa(raw[12:16]), socket.inet_ntoa(raw[16:20])
        self.body = self.packet[self.ihl:]
        self.fragment = struct.unpack("!H", raw[6:8])[0] & 0x3FFF != 0

    @property
    def ports(self):
        return struct.unpack("!HH", self.body[:4]) if len(self.body) >= 4 else (0, 0)

    def quoted(self):
        """The packet in an ICMP error."""
        if self.proto == ICMP and not self.fragment and len(self.body) >= 28 and self.body[0] in (3, 4, 5, 11, 12):
            return Seen(self.body[8:])
        return None

    def faults(self):
        """What is wrong with its checksums."""
        found = []
        if checksum(self.packet[:self.ihl]):
            found.append("IP header checksum")
        if self.fragment:
            return found
        if self.proto == ICMP and checksum(self.body):
            found.append("ICMP checksum")
        length = len(self.body)
        if self.proto == UDP and length >= 8:
            length, csum = struct.unpack("!HH", self.body[4:8])
            if not csum:
                return found
        if self.proto in (TCP, UDP) and checksum(pseudo(self.src, self.dst, self.proto, length) + self.body[:length]):
            found.append("transport checksum")
        return found

    def __str__(self):
        ports = "{}>{}".format(*self.ports) if self.proto in (TCP, UDP) else ""
        return f"{self.src} > {self.dst} protocol {self.proto} {ports} {self.packet[self.ihl:][:16].hex()}"


def joined(seen):
    """What came out, fragments put together: where all of them are there, in order, one packet is in their place."""
    whole = []
    for packet in seen:
        flags, = struct.unpack("!H", packet.raw[6:8])
        before = whole[-1] if whole and flags & 0x1FFF else None
        if before and before.fragment and len(before.body) == (flags & 0x1FFF) * 8:
            head = put16(put16(before.raw[:before.ihl], 2, before.ihl + len(before.body) + len(packet.body)), 6, flags & 0x2000)
            whole[-1] = Seen(put16(head, 10, checksum(put16(head, 10, 0))) + before.body + packet.body)
        else:
            whole.append(packet)
    return whole
