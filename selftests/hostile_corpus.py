# SPDX-License-Identifier: GPL-2.0
"""What a gateway is sent by those who mean it harm, and what has to become of it; for hostile.py.

A case is a name, from which side it comes, the packets, and one of
  Through(checks)     comes out on the other side, translated
  Drop(reason, n)     fastnat drops n packets, counted under the reason
  Stack(counter)      the kernel drops it, ahead of fastnat or behind it, and counts that there
  Quiet()             nothing comes out on the other side, and fastnat drops nothing: it is the gateway's own,
                      or goes back by where it came from; a redirect of the kernel about that may be dropped
No case may leave a flow behind unless it says flows=N.
"""
from hostile_packets import UDP, error, icmp, ip, mend, pieces, put16, query, tcp, udp

IN, OUT = "inside", "outside"
CLIENT, GATEWAY_IN, GATEWAY, SERVER = "10.0.0.2", "10.0.0.1", "192.0.2.1", "192.0.2.2"
POOL, WHOLE = "203.0.113.5", "203.0.113.9"  # of an snat policy; a dnat policy leads the whole address to the client
POOLED = "10.0.0.7"  # the host whose source becomes POOL
KNOWN, SERVICE = 4000, 53  # the flow that is there before: CLIENT:KNOWN to SERVER:SERVICE


class Through:
    def __init__(self, *checks, flows=0, count=1, src=None, dst=None, right=True):
        self.checks, self.flows, self.count, self.src, self.dst, self.right = checks, flows, count, src, dst, right


class Drop:
    flows = 0

    def __init__(self, reason, count=1):
        self.reason, self.count = "drop-" + reason, count


class Stack:
    def __init__(self, *counters, flows=0):
        self.counters, self.flows = counters, flows


class Quiet:
    def __init__(self, flows=0, returns=False):
        self.flows, self.may_drop = flows, {"drop-redirect"} if returns else set()


HEADER = Stack("Ip.InHdrErrors")
MALFORMED = Drop("malformed")
MARTIAN = Stack("rt_cache.in_martian_src", "TcpExt.IPReversePathFilter")


def whole(kind, **more):
    """A right packet from the inside."""
    if kind == "udp":
        return udp(CLIENT, SERVER, 5000, 9, **more)
    return tcp(CLIENT, SERVER, 5000, 9, **more) if kind == "tcp" else query(CLIENT, SERVER, **more)


def inward(kind, **more):
    """A right packet to the address that is led to the client."""
    if kind == "udp":
        return udp(SERVER, WHOLE, 5000, 9, **more)
    return tcp(SERVER, WHOLE, 5000, 9, **more) if kind == "tcp" else query(SERVER, WHOLE, **more)


def cut(packet, length):
    """Its first octets, and a total length that says so."""
    return mend(put16(packet[:length], 2, length))


def lengths():
    both = [(IN, whole, "out"), (OUT, inward, "in")]
    for side, make, way in both:
        for kind, least in (("udp", 28), ("tcp", 40), ("icmp", 28)):
            packet = make(kind)
            for length in range(20, least):
                yield f"{kind} {way} that ends after {length}", side, [cut(packet, length)], MALFORMED
        for length in range(0, 20):
            yield f"ip {way} of {length} octets", side, [make("udp")[:length]], HEADER if length else Quiet()
        for size in (0, 1, 7, 16, 9999, 65535):
            yield f"udp {way} with length {size}", side, [make("udp", length=size)], MALFORMED
        yield f"udp {way} with length 8 and more behind it", side, [make("udp", length=8)], Through(flows=1)
        for offset in range(0, 5):
            yield f"tcp {way} with data offset {offset}", side, [make("tcp", offset=offset)], MALFORMED
        yield f"tcp {way} with data offset beyond its end", side, [make("tcp", offset=15)], MALFORMED
        yield f"tcp {way} with data offset at its end", side, [make("tcp", offset=6, data=b"\1\1\1\1")], Through(flows=1)
        yield f"ip {way} that says more than there is", side, [make("udp", length=None)[:-3]], Stack("IpExt.InTruncatedPkts")
        yield f"ip {way} with total length 19", side, [put16(make("udp"), 2, 19)], HEADER
        yield f"ip {way} with total length 0", side, [put16(make("udp"), 2, 0)], HEADER
        yield f"ip {way} with more behind it", side, [make("udp") + b"behind"], Through(flows=1)
        for ihl in (0, 1, 4):
            yield f"ip {way} with ihl {ihl}", side, [ip(CLIENT, SERVER, UDP, bytes(40), ihl=ihl)], HEADER
        yield f"ip {way} with ihl beyond its end", side, [ip(CLIENT, SERVER, UDP, bytes(8), ihl=15)], HEADER
        for version in (0, 3, 6, 15):
            yield f"ip {way} of version {version}", side, [ip(CLIENT, SERVER, UDP, bytes(40), version=version)], HEADER
        yield f"ip {way} with a wrong checksum", side, [put16(make("udp"), 10, 0x1234)], \
            Stack("IpExt.InCsumErrors")


def fragments():
    for side, make, way in [(IN, whole, "out"), (OUT, inward, "in")]:
        large = make("udp", data=bytes(range(200)) * 5)
        a, b = pieces(large, 504)
        yield f"fragments {way}", side, [a, b], Through(flows=1)
        yield f"fragments {way}, last one first", side, [b, a], Through(flows=1)
        yield f"fragments {way}, twice each", side, [a, a, b], Through(flows=1)
        yield f"a first fragment alone {way}", side, [a], Stack("Ip.ReasmReqds")
        yield f"a last fragment alone {way}", side, [mend(put16(b, 4, 8))], \
            Stack("Ip.ReasmReqds")
        overlap = pieces(large, 504)
        overlap[1] = pieces(large, 400)[1]
        yield f"overlapping fragments {way} (teardrop)", side, overlap, Stack("Ip.ReasmFails")
        inside = pieces(large, 104, 304)
        inside[2] = pieces(large, 104, 200)[1]
        yield f"a fragment within another {way}", side, inside, Stack("Ip.ReasmReqds")
        tiny = pieces(make("tcp", data=b"x" * 40), 8, 16, 24)
        yield f"a tcp header in fragments of 8 {way}", side, tiny, Through(flows=1)
        beyond = put16(pieces(large, 504)[1], 6, 0x1FFF)
        yield f"a fragment that ends beyond 65535 {way}", side, [cut(beyond, len(beyond))], Stack("Ip.ReasmReqds")
        empty = put16(pieces(large, 504)[0], 6, 0x2001)
        yield f"a fragment of nothing {way}", side, [cut(empty, 20)], Stack("Ip.ReasmReqds")
        odd = put16(pieces(large, 504)[0], 6, 0x2002)
        yield f"a fragment of 7 octets with more to come {way}", side, [cut(odd, 27)], Stack("Ip.ReasmReqds")


def quotes(outside_port):
    """ICMP errors; the known flow has this outside port."""
    sent = udp(GATEWAY, SERVER, outside_port, SERVICE)  # as the outside knows it
    got = udp(SERVER, CLIENT, SERVICE, KNOWN)  # as the inside knows its answer

    def back(seen):
        quoted = seen.quoted()
        want = (CLIENT, SERVER, (KNOWN, SERVICE))
        return None if quoted and (quoted.src, quoted.dst, quoted.ports) == want else f"quotes {quoted}"

    def forth(seen):
        quoted = seen.quoted()
        want = (SERVER, GATEWAY, (SERVICE, outside_port))
        return None if quoted and (quoted.src, quoted.dst, quoted.ports) == want else f"quotes {quoted}"

    in_, out = Through(back, dst=CLIENT), Through(forth, src=GATEWAY)
    yield "an error in", OUT, [error(SERVER, GATEWAY, sent)], in_
    yield "an error in from a router", OUT, [error("198.51.100.9", GATEWAY, sent, 11, 0)], in_
    yield "an error in with 8 octets of UDP", OUT, [error(SERVER, GATEWAY, sent[:28])], in_
    yield "an error in quoting options", OUT, [error(SERVER, GATEWAY, udp(GATEWAY, SERVER, outside_port, SERVICE,
                                                                        options=b"\7\7\4\0\0\0\0"))], in_
    yield "an error in quoting wrong checksums", OUT, [error(SERVER, GATEWAY, udp(GATEWAY, SERVER, outside_port, SERVICE,
                                                                                csum=0x1234))], in_
    yield "an error in quoting no checksum", OUT, [error(SERVER, GATEWAY, udp(GATEWAY, SERVER, outside_port, SERVICE,
                                                                            csum=0))], in_
    yield "an error in quoting a first fragment", OUT, [error(SERVER, GATEWAY, udp(GATEWAY, SERVER, outside_port, SERVICE,
                                                                                 frag=0x2000))], in_
    yield "an error in quoting a total length in the other order", OUT, \
        [error(SERVER, GATEWAY, put16(sent, 2, 0x2300))], in_
    yield "an error in with options itself", OUT, [error(SERVER, GATEWAY, sent, options=b"\1\1\1\1")], in_
    yield "an error in, in fragments", OUT, pieces(error(SERVER, GATEWAY, sent + b"z" * 60), 16, 48), in_
    yield "an error in with a wrong checksum", OUT, [error(SERVER, GATEWAY, sent, wrong=1)], Drop("icmp-checksum")
    yield "an error in about another flow", OUT, \
        [error(SERVER, GATEWAY, udp(GATEWAY, SERVER, outside_port ^ 1, SERVICE))], Quiet()
    yield "an error in about another protocol's flow", OUT, \
        [error(SERVER, GATEWAY, tcp(GATEWAY, SERVER, outside_port, SERVICE))], Quiet()
    for length in range(0, 28):
        yield f"an error in quoting {length} octets", OUT, [error(SERVER, GATEWAY, sent[:length])], Quiet()
        yield f"an error led in quoting {length} octets", OUT, [error(SERVER, WHOLE, sent[:length])], MALFORMED
        yield f"an error out quoting {length} octets", IN, [error(CLIENT, SERVER, got[:length])], MALFORMED
    yield "an error out", IN, [error(CLIENT, SERVER, got)], out
    yield "an error out from a router", IN, [error("10.0.0.9", SERVER, got, 11, 0)], out
    yield "an error out quoting options", IN, [error(CLIENT, SERVER, udp(SERVER, CLIENT, SERVICE, KNOWN,
                                                                      options=b"\7\7\4\0\0\0\0"))], out
    yield "an error out with a wrong checksum", IN, [error(CLIENT, SERVER, got, wrong=1)], Drop("icmp-checksum")
    yield "an error out about nothing", IN, [error(CLIENT, SERVER, udp(SERVER, CLIENT, 1, 2))], Drop("icmp-no-flow")
    for name, proto in (("IPIP", 4), ("GRE", 47), ("ESP", 50), ("SCTP", 132), ("protocol 0", 0), ("protocol 255", 255)):
        yield f"an error led in quoting {name}", OUT, [error(SERVER, WHOLE, ip(WHOLE, SERVER, proto, bytes(32)))], \
            Drop("protocol")
        yield f"an error in quoting {name}", OUT, [error(SERVER, GATEWAY, ip(GATEWAY, SERVER, proto, bytes(32)))], Quiet()
        yield f"an error out quoting {name}", IN, [error(CLIENT, SERVER, ip(SERVER, CLIENT, proto, bytes(32)))], \
            Drop("protocol")
    nested = error(GATEWAY, SERVER, got)
    for kind in (3, 4, 5, 11, 12):
        quoted = icmp(WHOLE, SERVER, kind, 0, bytes(4), nested)
        yield f"an error led in about an ICMP message {kind}", OUT, [error(SERVER, WHOLE, quoted)], MALFORMED
        quoted = icmp(SERVER, CLIENT, kind, 0, bytes(4), nested)
        yield f"an error out about an ICMP message {kind}", IN, [error(CLIENT, SERVER, quoted)], MALFORMED
    later = udp(SERVER, CLIENT, SERVICE, KNOWN, frag=0x2064)
    yield "an error out quoting a later fragment", IN, [error(CLIENT, SERVER, later)], MALFORMED
    yield "an error out quoting version 6", IN, [error(CLIENT, SERVER, ip(SERVER, CLIENT, UDP, bytes(30), version=6))], \
        MALFORMED
    yield "an error out quoting ihl 4", IN, [error(CLIENT, SERVER, ip(SERVER, CLIENT, UDP, bytes(30), ihl=4))], MALFORMED
    yield "an error out quoting ihl 15", IN, [error(CLIENT, SERVER, ip(SERVER, CLIENT, UDP, bytes(8), ihl=15))], MALFORMED
    for kind in (1, 2, 4, 5, 6, 7, 9, 10, 19, 30, 40, 41, 44, 128, 255):
        yield f"an ICMP message {kind} out", IN, [icmp(CLIENT, SERVER, kind, 0, bytes(4), got)], Drop("protocol")
        yield f"an ICMP message {kind} led in", OUT, [icmp(SERVER, WHOLE, kind, 0, bytes(4), sent)], Drop("protocol")
        yield f"an ICMP message {kind} in", OUT, [icmp(SERVER, GATEWAY, kind, 0, bytes(4), sent)], Quiet()
    for kind in (0, 14, 16, 18, 43):
        yield f"an ICMP reply {kind} out to no query", IN, [query(CLIENT, SERVER, kind)], Drop("icmp-no-flow")
    yield "a query out with a wrong checksum", IN, [query(CLIENT, SERVER, wrong=1)], Through(flows=1, right=False)


def addresses():
    def outward(src, dst=SERVER):
        return [udp(src, dst, 6000, 9)]

    for name, proto in (("IPIP", 4), ("GRE", 47), ("ESP", 50), ("SCTP", 132), ("protocol 0", 0), ("protocol 255", 255)):
        yield f"{name} out", IN, [ip(CLIENT, SERVER, proto, bytes(32))], Drop("protocol")
        yield f"{name} led in", OUT, [ip(SERVER, WHOLE, proto, bytes(32))], Drop("protocol")
        yield f"{name} to the gateway", OUT, [ip(SERVER, GATEWAY, proto, bytes(32))], Quiet()
    for name, make in (("udp", udp), ("tcp", tcp)):
        yield f"{name} out from port 0", IN, [make(CLIENT, SERVER, 0, 9)], Through(flows=1, src=GATEWAY)
        yield f"{name} out to port 0", IN, [make(CLIENT, SERVER, 6000, 0)], Through(flows=1, src=GATEWAY)
        yield f"{name} out from port 0 to port 0", IN, [make(CLIENT, SERVER, 0, 0)], Through(flows=1, src=GATEWAY)
        yield f"{name} in from port 0", OUT, [make(SERVER, WHOLE, 0, 9)], Through(flows=1, dst=CLIENT)
        yield f"{name} in from port 0 to port 0, as the client does there", OUT, [make(SERVER, WHOLE, 0, 0)], Drop("conflict")
        yield f"{name} to port 0 of the gateway", OUT, [make(SERVER, GATEWAY, 6000, 0)], Quiet()
        yield f"{name} from the inside to itself (land)", IN, [make(CLIENT, CLIENT, 6000, 6000)], Quiet()
        # The policy says --out wan0, and that is how it leaves again.
        yield f"{name} from the outside to itself (land)", OUT, [make(SERVER, SERVER, 6000, 6000)], Quiet(flows=1, returns=True)
        yield f"{name} to a service from its own endpoint (land)", OUT, [make(GATEWAY, GATEWAY, 8080, 8080)], \
            Stack(*MARTIAN.counters, flows=1 if name == "tcp" else 0)
        yield f"{name} to a whole address from itself (land)", OUT, [make(WHOLE, WHOLE, 9, 9)], Through(flows=1, dst=CLIENT)
    yield "from the inside, from a pool's address", IN, outward(POOL), MARTIAN
    yield "from the inside, from the gateway's outside address", IN, outward(GATEWAY), MARTIAN
    yield "from the inside, from the gateway's inside address", IN, outward(GATEWAY_IN), MARTIAN
    yield "from the outside, from a pool's address", OUT, outward(POOL, WHOLE), Through(flows=1, dst=CLIENT)
    yield "from the outside, from an inside address", OUT, outward(CLIENT, GATEWAY), MARTIAN
    yield "from the outside, from the gateway's address", OUT, outward(GATEWAY, GATEWAY), MARTIAN
    for src in ("0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "10.0.0.255"):
        yield f"from the inside, from {src}", IN, outward(src), MARTIAN
        yield f"from the outside, from {src}", OUT, outward(src, GATEWAY), MARTIAN
    for dst in ("224.0.0.1", "224.0.0.5", "239.1.1.1", "255.255.255.255", "10.0.0.255", "192.0.2.255", "0.0.0.0",
                "127.0.0.1"):
        yield f"from the inside, to {dst}", IN, outward(CLIENT, dst), Quiet()
        yield f"from the outside, to {dst}", OUT, outward(SERVER, dst), Quiet()
    # To the kernel these are hosts.
    yield "from the inside, from 10.0.0.0", IN, outward("10.0.0.0"), Through(flows=1, src=GATEWAY)
    yield "from the outside, from 10.0.0.0", OUT, outward("10.0.0.0", GATEWAY), MARTIAN
    yield "from the inside, from 240.0.0.1", IN, outward("240.0.0.1"), MARTIAN
    yield "from the outside, from 240.0.0.1", OUT, outward("240.0.0.1", GATEWAY), Quiet()
    yield "from the inside, to 240.0.0.1", IN, outward(CLIENT, "240.0.0.1"), Through(flows=1, src=GATEWAY)
    yield "from the outside, to 240.0.0.1", OUT, outward(SERVER, "240.0.0.1"), Quiet(flows=1, returns=True)


def has_flags(flags):
    return lambda seen: None if seen.body[13] == flags else f"flags {seen.body[13]:#04x}"


def has_udp_checksum(csum):
    return lambda seen: None if seen.body[6:8] == csum else f"UDP checksum {seen.body[6:8].hex()}"


def oddities():
    yield "udp out without checksum", IN, [whole("udp", csum=0)], Through(has_udp_checksum(b"\0\0"), flows=1)
    yield "udp in without checksum", OUT, [inward("udp", csum=0)], Through(has_udp_checksum(b"\0\0"), flows=1)
    for side, make, way in [(IN, whole, "out"), (OUT, inward, "in")]:
        for kind in ("udp", "tcp"):
            yield f"{kind} {way} with a wrong checksum", side, [make(kind, wrong=1)], Through(flows=1, right=False)
        for flags in (0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x12, 0x29, 0x3F, 0xC2, 0xFF):
            yield f"tcp {way} with flags {flags:#04x}", side, [make("tcp", flags=flags)], Through(has_flags(flags), flows=1)
        yield f"tcp {way} with an urgent pointer", side, [make("tcp", flags=0x20, urgent=0xFFFF)], Through(flows=1)
    record = b"\x07\x0b\x04" + bytes(8)
    stamp = b"\x44\x0c\x05\x00" + bytes(8)
    for name, options in (("record route", record), ("timestamp", stamp), ("no operation", b"\1" * 40),
                          ("end at once", b"\0\0\0\0"), ("an unknown option", b"\x9e\x04\0\0")):
        yield f"out with {name}", IN, [whole("udp", options=options)], Through(flows=1, src=GATEWAY)
        yield f"in with {name}", OUT, [inward("udp", options=options)], Through(flows=1, dst=CLIENT)
    for name, options in (("loose source route", b"\x83\x07\x04" + bytes((192, 0, 2, 9))),
                          ("strict source route", b"\x89\x07\x04" + bytes((192, 0, 2, 9)))):
        yield f"out with {name}", IN, [whole("udp", options=options)], Quiet()
    for name, options in (("an option of length 0", b"\x07\x00\x04\0"), ("an option of length 1", b"\x44\x01\x05\0"),
                          ("an option beyond the header", b"\x07\x27\x04\0"), ("two source routes", b"\x83\x03\x04" * 2),
                          ("a record route pointing at itself", b"\x07\x07\x01" + bytes(4))):
        yield f"out with {name}", IN, [whole("udp", options=options)], HEADER
        yield f"in with {name}", OUT, [inward("udp", options=options)], Stack("Ip.InHdrErrors", flows=1)
    for ttl in (0, 1):
        yield f"out with TTL {ttl}", IN, [whole("udp", ttl=ttl)], HEADER
        yield f"in with TTL {ttl}", OUT, [inward("udp", ttl=ttl)], Stack("Ip.InHdrErrors", flows=1)
    yield "out with TTL 2", IN, [whole("udp", ttl=2)], Through(flows=1, src=GATEWAY)
    yield "out from the pool's host", IN, [udp(POOLED, SERVER, 7000, 9)], Through(flows=1, src=POOL)


GROUPS = {"lengths": lengths, "fragments": fragments, "addresses": addresses, "oddities": oddities}
