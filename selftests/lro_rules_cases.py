# SPDX-License-Identifier: GPL-2.0
"""Each rule of aggregation as bursts of segments: which are one packet behind GRO, in which order packets come,
and which reason is counted, in mode lro and by the kernel's own rules.

"0-2 3 4-6" are three packets: an aggregate of the first three segments, the fourth one alone, the rest."""
import os

from lro_rules_packet import (ACK, AE, CWR, DESTINATION, ECE, FIN, FRAGMENT, HOP_BY_HOP, PSH, RST, SYN, TCP, UDP, URG,
                              Packet, timestamps)

BYTES = os.urandom(1 << 16)
FIRST_SEQ = 0xFFFFFF00  # goes around within the first three segments


ALONE = "0 1 2 3 4 5"
# Of reasons: they are not looked at. What the kernel merges behind extension headers is not even counted.
ANY, UNCOUNTED = "any", "uncounted"
BOTH_WAYS = {
    "ack": lambda number: 5000 + 100 * number,
    "window": lambda number: 500 - number,
    "options": lambda number: timestamps(1000 + number, 2000 + number),
}


def numbers(text):
    """Of "0-2,5 3" [[0, 1, 2, 5], [3]]."""
    def span(part):
        first, _, last = part.partition("-")
        return range(int(first), int(last or first) + 1)
    return [[number for part in word.split(",") for number in span(part)] for word in text.split()]


def spans(numbers_):
    """Of [0, 1, 2, 5] "0-2,5"."""
    words, first = [], None
    for at, number in enumerate(numbers_):
        first = number if first is None else first
        if at + 1 == len(numbers_) or numbers_[at + 1] != number + 1:
            words.append(f"{first}-{number}" if number > first else str(first))
            first = None
    return ",".join(words)


def spelled(groups):
    return " ".join(map(spans, groups))


class Case:
    """COUNT segments, in sequence unless something else is said. What `every` and `some` say of fields may depend on the
    segment's number; `skip` is how far its sequence number is from where it should be, `flow` which of several it is of.
    Before segment `pause` the sender waits until all others have come."""

    def __init__(self, what, count, lro, stock=None, *, some=None, every=None, size=100, reason=None, stock_reason=(),
                 limited=None, families=(4, 6), pause=None):
        self.what, self.count, self.families, self.pause = what, count, families, pause
        self.some, self.every, self.size = some or {}, every or {}, size
        # Mode strict is stock but for the limit.
        self.groups = {"off": stock or lro, "strict": limited or stock or lro, "lro": lro}
        reason = reason or {}
        self.reasons = {"off": {}, "strict": reason if stock_reason == () else stock_reason, "lro": reason}

    def fields(self, number):
        fields = {**self.every, **self.some.get(number, {})}
        return {name: value(number) if callable(value) else value for name, value in fields.items()}

    def polls(self):
        """The first segment and the end of what is sent at once."""
        if self.pause is None:
            return [(0, self.count)]
        return [(0, self.pause), (self.pause, self.count)]

    def packets(self, **common):
        seqs, idents, packets = {}, {}, []
        for number in range(self.count):
            fields = self.fields(number)
            flow, skip, size = fields.pop("flow", 0), fields.pop("skip", 0), fields.pop("size", self.size)
            seq = seqs.get(flow, FIRST_SEQ) + skip
            ident = idents.get(flow, 1)
            at = seq % (len(BYTES) - size)
            packet = Packet(**common, seq=seq, ident=ident, payload=BYTES[at:at + size])
            packet.set(fields)
            packet.sport += flow
            packets.append(packet)
            if packet.proto == TCP:
                seqs[flow], idents[flow] = seq + size, ident + 1
        return packets


def breaks(what, fields, lro="0-2 3 4-6", stock=None, **more):
    """Seven segments, the fourth of which is different."""
    return Case(what, 7, lro, stock, some={3: fields}, **more)


def changes(what, lro="0-2 3-5", stock=None, **more):
    """Six segments; the second half is different from the first."""
    first, second = more.pop("first", {}), more.pop("second", {})
    some = {number: first if number < 3 else second for number in range(6)}
    return Case(what, 6, lro, stock, some=some, **more)


def everywhere(what, fields, stock="0-5", **more):
    """Six segments of a kind that mode lro does not touch, all alike."""
    return Case(what, 6, "0 1 2 3 4 5", stock, every=fields, **more)


def refused(reason, fields, stock=None, alike=None, stock_reason=()):
    """One of a kind among others that are not, and segments that all are."""
    return [
        breaks("one among others", fields, stock=stock, reason={reason: 1}, stock_reason=stock_reason),
        # What ended no aggregate is not counted in mode strict.
        everywhere("all", fields, alike or "0-5", reason={reason: 6}, stock_reason={}),
        breaks("one in traffic of both ways", fields, stock="0 1 2 3 4 5 6", every=BOTH_WAYS, reason={reason: 1},
               stock_reason=ANY),
    ]


NOPS = b"\1" * 4
SACK = timestamps(1000, 2000) + b"\1\1\5\12" + bytes(range(8))
MD5 = b"\1\1\23\22" + bytes(range(16))
MPTCP = b"\36\24" + bytes(range(18))
STAMP_LAST = timestamps(1000, 2000)[2:] + b"\1\1"

REFUSALS = {
    "padding": [
        breaks("longer than its IP header says", {"padding": 6}, reason={"padding": 1}),
    ],
    "not_tcp": [
        breaks("a datagram between segments", {"proto": UDP}, "3 0-2,4-6", reason={"not-tcp": 1}),
    ],
    "ip_options": [
        # The kernel's own rules pass it, and only the next one ends the aggregate.
        breaks("options", {"ip_options": NOPS}, stock="3 0-2 4-6", families=(4,), reason={"ip-options": 1},
               stock_reason={"ip-options": 1, "sequence": 1}),
        breaks("hop by hop", {"extension": HOP_BY_HOP}, families=(6,), reason={"ip-options": 1},
               stock_reason={"ip-options": 1, "sequence": 1}),
        breaks("for the destination", {"extension": DESTINATION}, families=(6,), reason={"ip-options": 1},
               stock_reason={"ip-options": 1, "sequence": 1}),
        everywhere("all with options", {"ip_options": NOPS}, ALONE, families=(4,), reason={"ip-options": 6}, stock_reason={}),
        everywhere("all for the destination", {"extension": DESTINATION}, families=(6,), reason={"ip-options": 6},
                   stock_reason=UNCOUNTED),
    ],
    "fragments": [
        breaks("more of them to come", {"more": True, "df": False}, stock="3 0-2 4-6", families=(4,),
               reason={"ip-options": 1}, stock_reason={"ip-options": 1, "sequence": 1}),
        breaks("the first one", {"extension": FRAGMENT}, stock="3 0-2 4-6", families=(6,),
               reason={"ip-options": 1}, stock_reason={"ip-options": 1, "sequence": 1}),
    ],
    "congestion_experienced": refused("ce", {"tos": 3}, stock_reason={"header": 2}),
    "no_data": [
        breaks("an acknowledgement between segments", {"size": 0}, reason={"no-data": 1}),
        everywhere("nothing but acknowledgements", {"size": 0}, ALONE, reason={"no-data": 6}, stock_reason={}),
    ],
    "cwr": refused("cwr", {"flags": ACK | CWR}, stock_reason={"cwr": 2}),
    "ece": refused("ece", {"flags": ACK | ECE}, stock_reason={"ece": 2}),
    "syn": refused("syn", {"flags": ACK | SYN}, alike=ALONE),
    "fin": refused("fin", {"flags": ACK | FIN}, stock="0-3 4-6", alike=ALONE),
    "urg": refused("urg", {"flags": ACK | URG}, alike=ALONE),
    "psh": refused("psh", {"flags": ACK | PSH}, stock="0-3 4-6", alike=ALONE),
    "rst": refused("rst", {"flags": ACK | RST}, alike=ALONE),
    "no_ack": refused("no-ack", {"flags": 0}, stock_reason={"no-ack": 2}),
    "tcp_options": [
        breaks("SACK", {"options": SACK}, reason={"tcp-options": 1}, stock_reason={"tcp-options": 1, "timestamp": 1}),
        everywhere("MD5", {"options": MD5}, reason={"tcp-options": 6}, stock_reason={}),
        everywhere("MPTCP", {"options": MPTCP}, reason={"tcp-options": 6}, stock_reason={}),
        everywhere("the timestamp before its padding", {"options": STAMP_LAST}, reason={"tcp-options": 6}, stock_reason={}),
        everywhere("padding without a timestamp", {"options": NOPS}, reason={"tcp-options": 6}, stock_reason={}),
    ],
}

ENDS = {
    "sequence": [
        Case("a gap", 6, "0-2 3-5", some={3: {"skip": 100}}, reason={"sequence": 1}),
        Case("once more", 6, "0-2 3-5", some={3: {"skip": -100}}, reason={"sequence": 1}),
        Case("one is missing, and comes late", 6, "0-2 3-4 5", some={3: {"skip": 100}, 5: {"skip": -300}},
             reason={"sequence": 2}),
    ],
    "ack_goes_back": [
        changes("by one", second={"ack": 4999}, reason={"ack": 1}),
        changes("by half of all numbers", first={"ack": 0}, second={"ack": 0x80000000}, reason={"ack": 1}),
    ],
    "timestamp_goes_back": [
        changes("by one", second={"options": timestamps(999, 2001)}, reason={"timestamp": 1}),
        changes("to none", second={"options": b""}, reason={"timestamp": 1}),
        changes("from none", first={"options": b""}, reason={"timestamp": 1}),
    ],
    "header": [
        changes("TTL or hop limit", second={"ttl": 63}, reason={"header": 1}),
        changes("service", second={"tos": 0x20}, reason={"header": 1}),
        changes("ECT", second={"tos": 2}, reason={"header": 1}),
        changes("a reserved bit of TCP", second={"flags": ACK | AE}, reason={"header": 1}),
        changes("flow label", second={"label": 5}, families=(6,), reason={"header": 1}),
        changes("DF", second={"df": False}, families=(4,), reason={"header": 1}),
        changes("identification jumps", second={"ident": lambda number: 100 + number}, families=(4,), reason={"header": 1}),
        Case("identification stands still", 4, "0-1 2-3", some={2: {"ident": 2}, 3: {"ident": 3}}, families=(4,),
             reason={"header": 1}),
    ],
    "longer_than_the_first": [
        changes("the second half", second={"size": 101}, reason={"mss": 1}),
        Case("all after the first", 4, "0 1-3", some={0: {"size": 60}}, reason={"mss": 1}),
    ],
    "shorter_than_the_first": [
        Case("the third", 6, "0-2 3-5", some={2: {"size": 99}}, reason={"short": 1}),
        Case("one byte", 2, "0-1", some={1: {"size": 1}}, reason={"short": 1}),
    ],
    "limit": [
        Case("20 segments", 20, "0-15 16-19", "0-19", limited="0-15 16-19", reason={"limit": 1}),
    ],
    "the_end_of_a_poll": [
        Case("a pause", 6, "0-2 3-5", pause=3),
    ],
    "wrong_checksum": [
        breaks("of TCP", {"wrong": 1}, stock="3 0-2 4-6", reason={"checksum": 1},
               stock_reason={"checksum": 1, "sequence": 1}),
        breaks("of TCP, in traffic of both ways", {"wrong": 1}, stock="0 1 3 2 4 5 6", every=BOTH_WAYS,
               reason={"checksum": 1}, stock_reason=ANY),
        breaks("of IPv4", {"ip_wrong": 1}, stock="3 0-2 4-6", families=(4,), reason={"checksum": 1},
               stock_reason={"checksum": 1, "sequence": 1}),
        everywhere("all of TCP", {"wrong": 1}, ALONE, reason={}),
    ],
}

MERGED = {
    "a_plain_train": [
        Case("with timestamps", 8, "0-7"),
        Case("without options", 8, "0-7", every={"options": b""}),
        Case("large", 8, "0-7", size=1448),
        Case("one byte each", 8, "0-7", size=1),
    ],
    "an_identification_that_stays": [
        Case("DF", 6, "0-5", every={"ident": 7}, families=(4,)),
        Case("none, and DF", 6, "0-5", every={"ident": 0}, families=(4,)),
        Case("not DF", 6, "0-5", every={"ident": 7, "df": False}, families=(4,)),
        Case("counts up, not DF", 6, "0-5", every={"df": False}, families=(4,)),
        Case("goes around", 6, "0-5", every={"ident": lambda number: 65533 + number}, families=(4,)),
    ],
    "acks_go_forward": [
        Case("a little", 6, "0-5", ALONE, every={"ack": BOTH_WAYS["ack"]}, stock_reason={"ack": 5}),
        Case("past the last number", 6, "0-5", ALONE, every={"ack": lambda number: 0xFFFFFF00 + 100 * number},
             stock_reason={"ack": 5}),
        Case("as far as can be told", 2, "0-1", "0 1", some={0: {"ack": 0}, 1: {"ack": 0x7FFFFFFF}}, stock_reason={"ack": 1}),
    ],
    "windows_change": [
        Case("to and fro", 6, "0-5", ALONE, every={"window": lambda number: number % 2 * 500}, stock_reason={"window": 5}),
    ],
    "timestamps_go_forward": [
        Case("a little", 6, "0-5", ALONE, every={"options": BOTH_WAYS["options"]}, stock_reason={"timestamp": 5}),
        Case("past the last number", 6, "0-5", ALONE, every={"options": lambda number: timestamps(0xFFFFFFFD + number, 0)},
             stock_reason={"timestamp": 5}),
        Case("only the peer's", 6, "0-5", ALONE, every={"options": lambda number: timestamps(1000, number)},
             stock_reason={"timestamp": 5}),
    ],
    "traffic_of_both_ways": [
        Case("all at once", 8, "0-7", "0 1 2 3 4 5 6 7", every=BOTH_WAYS, stock_reason={"ack": 7}),
        Case("large", 8, "0-7", "0 1 2 3 4 5 6 7", every=BOTH_WAYS, size=1448, stock_reason={"ack": 7}),
        Case("a short one ends it", 6, "0-3 4-5", ALONE, every=BOTH_WAYS, some={3: {"size": 50}}, reason={"short": 1},
             stock_reason={"ack": 4, "mss": 1}),
    ],
    "checksums_left_to_devices": [
        Case("a plain train", 8, "0-7", every={"partial": True}),
        Case("traffic of both ways", 6, "0-5", ALONE, every={"partial": True, **BOTH_WAYS}, stock_reason={"ack": 5}),
    ],
    "headers_in_pages": [
        Case("a plain train", 8, "0-7", size=5000, every={"paged": True}),
        Case("traffic of both ways", 8, "0-7", "0 1 2 3 4 5 6 7", size=5000, every={"paged": True, **BOTH_WAYS},
             stock_reason={"ack": 7}),
        breaks("PSH", {"flags": ACK | PSH}, stock="0-3 4-6", size=5000, every={"paged": True}, reason={"psh": 1}),
        breaks("MD5", {"options": MD5}, size=5000, every={"paged": True}, reason={"tcp-options": 1}, stock_reason=ANY),
        breaks("a wrong checksum in traffic of both ways", {"wrong": 1}, stock="0 1 3 2 4 5 6", size=5000,
               every={"paged": True, **BOTH_WAYS}, reason={"checksum": 1}, stock_reason=ANY),
    ],
    "flows_do_not_mix": [
        Case("four in turn", 12, "0,4,8 1,5,9 2,6,10 3,7,11", every={"flow": lambda number: number % 4}),
    ],
}

# These need settings of their own, see lro_rules.sh.
SETTINGS = {
    "limit_3": [Case("seven segments", 7, "0-2 3-5 6", "0-6", limited="0-2 3-5 6", reason={"limit": 2})],
    "limit_64": [
        # 41 segments leave less than 9000 bytes, the link's MTU, of 65535.
        Case("as long as can be", 50, "0-40 41-49", "0-45 46-49", size=1400, reason={"max-size": 1}),
        Case("and of both ways", 50, "0-40 41-49", " ".join(map(str, range(50))), size=1400, every=BOTH_WAYS,
             reason={"max-size": 1}, stock_reason={"ack": 49}),
        Case("63 segments", 63, "0-62"),
        Case("64 segments", 64, "0-63", reason={"limit": 1}),
    ],
    "fraglist": [
        Case("a plain train", 8, "0-7"),
        Case("traffic of both ways", 8, "0-7", "0 1 2 3 4 5 6 7", every=BOTH_WAYS, stock_reason={"ack": 7}),
    ],
}

CASES = {**REFUSALS, **ENDS, **MERGED, **SETTINGS}
