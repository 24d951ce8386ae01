# SPDX-License-Identifier: GPL-2.0
"""Packets by what their headers say: as a sender makes them, as an aggregate of them must look, and as they
must leave the gateway."""
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
TCP, UDP = 6, 17
HOP_BY_HOP, FRAGMENT, DESTINATION = 0, 44, 60


def folded(data):
    """The sum of its 16-bit words, with the carries added."""
    data += b"\0" * (len(data) % 2)
    # What is left of a division by 0xffff is that sum, but for 0, which only zeroes have.
    rest = int.from_bytes(data, "big") % 0xFFFF
    return rest or (0xFFFF if any(data) else 0)


def timestamps(value, echo):
    return struct.pack("!BBBBII", 1, 1, 8, 10, value & 0xFFFFFFFF, echo & 0xFFFFFFFF)


class Packet:
    """A TCP segment, unless `proto` is another."""
    FIELDS = {
        "family": 4, "src": "", "dst": "", "sport": 0, "dport": 9, "proto": TCP,
        "seq": 0, "ack": 5000, "window": 500, "flags": ACK, "options": timestamps(1000, 2000), "payload": b"",
        "ttl": 64, "tos": 0, "ident": 1, "df": True, "more": False, "ip_options": b"", "label": 0, "extension": None,
        "padding": 0,      # bytes behind the end that the IP header tells
        "wrong": 0,        # in what bits the checksum of TCP is wrong
        "ip_wrong": 0,     # the same of IPv4
        "partial": False,  # the checksum is left to the device
        "paged": False,    # its headers are in a page, as drivers leave them, if it is longer than one
    }

    def __init__(self, **fields):
        self.__dict__.update(self.FIELDS)
        self.set(fields)

    def set(self, fields):
        assert not set(fields) - set(self.FIELDS), fields
        self.__dict__.update(fields)

    def but(self, **fields):
        """The same, but for these."""
        return Packet(**{**self.__dict__, **fields})

    @property
    def addresses(self):
        kind = socket.AF_INET if self.family == 4 else socket.AF_INET6
        return socket.inet_pton(kind, self.src) + socket.inet_pton(kind, self.dst)

    @property
    def ports(self):
        return self.sport, self.dport

    def transport(self):
        """Header and payload."""
        if self.proto == UDP:
            head, at = struct.pack("!HHHH", self.sport, self.dport, 8 + len(self.payload), 0), 6
        else:
            offset = (5 + len(self.options) // 4) << 12
            head = struct.pack("!HHIIHHHH", self.sport, self.dport, self.seq & 0xFFFFFFFF, self.ack & 0xFFFFFFFF,
                               offset | self.flags, self.window, 0, 0) + self.options
            at = 16
        body = head + self.payload
        pseudo = self.addresses + struct.pack("!II", len(body), self.proto)
        check = folded(pseudo) if self.partial else folded(pseudo + body) ^ 0xFFFF
        return body[:at] + struct.pack("!H", check ^ self.wrong) + body[at + 2:]

    @property
    def transport_at(self):
        if self.family == 4:
            return 20 + len(self.ip_options)
        return 40 if self.extension is None else 48

    def packet(self):
        """From the IP header on, with the padding."""
        body = self.transport()
        head = self.head4(len(body)) if self.family == 4 else self.head6(len(body))
        return head + body + bytes(self.padding)

    def head4(self, length):
        size = self.transport_at
        head = struct.pack("!BBHHHBBH", 0x40 | size // 4, self.tos, size + length, self.ident & 0xFFFF,
                           self.df << 14 | self.more << 13, self.ttl, self.proto, 0) + self.addresses + self.ip_options
        return head[:10] + struct.pack("!H", folded(head) ^ 0xFFFF ^ self.ip_wrong) + head[12:]

    def head6(self, length):
        extension = b""
        if self.extension is not None:
            # Of a fragment it is the first one; else an option that is padding.
            rest = b"\0\0\1\0\0\0\7" if self.extension == FRAGMENT else b"\0\1\4\0\0\0\0"
            extension = bytes((self.proto,)) + rest
        first = self.proto if self.extension is None else self.extension
        return struct.pack("!IHBB", 6 << 28 | self.tos << 20 | self.label, len(extension) + length, first,
                           self.ttl) + self.addresses + extension


def merged(packets):
    """The aggregate of several, or the one as it is: the last one's answers to the peer, all the others from the first."""
    if len(packets) == 1:
        return packets[0]
    first, last = packets[0], packets[-1]
    flags = 0
    for packet in packets:
        flags |= packet.flags
    return first.but(ack=last.ack, window=last.window, options=last.options, flags=flags, partial=True,
                     payload=b"".join(packet.payload for packet in packets))


def forwarded(packets):
    """What leaves the gateway after they were one aggregate."""
    last = packets[-1]
    return [packet.but(ack=last.ack, window=last.window, options=last.options, ttl=packet.ttl - 1, padding=0, partial=False)
            for packet in packets if not packet.ip_wrong]
