#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends fastnat what no honest program would; see netlink_bad.sh."""
import errno
import os
import random
import socket
import struct
import sys

REQUEST, ACK, DUMP, CAPPED, ACK_TLVS = 1, 4, 0x300, 0x100, 0x200
ERROR, DONE = 2, 3
NESTED = 0x8000
SOL_NETLINK, EXT_ACK, CAP_ACK = 270, 11, 10
NEWUSER, NEWNET = 0x10000000, 0x40000000
NOBODY = 65534

# The order of the operations and attributes in Documentation/netlink/specs/fastnat.yaml.
OPS = ("policy-add policy-del policy-get pool-add pool-del pool-get flow-get flow-flush "
       "binding-get stats-get config-get config-set").split()
SETS = {
    "policy": ("id priority action proto src-addr src-prefix dst-addr dst-prefix src-port-min src-port-max "
               "dst-port-min dst-port-max in-iface out-iface mark mark-mask pool to-addr to-port-min "
               "to-port-max flows hits expiry timeout-tcp timeout-udp timeout-icmp tcp-fin offload offload-after filtering "
               "subscriber-bindings subscriber-flows subscriber-rate mapping target balance to-prefix "
               "in-group out-group refused set-mark set-mark-mask flush-matching older-flows flushed-flows warning").split(),
    "target": "addr port-min port-max weight".split(),
    "pool": "name range port-min port-max allocation policies bindings".split(),
    "range": "addr-min addr-max".split(),
    "tuple": "src-addr src-port dst-addr dst-port".split(),
    "flow": "proto orig translated policy expires node count".split(),
    "config": ("max-flows max-bindings timeout-tcp timeout-udp timeout-icmp conntrack buckets timeout-tcp-transitory numa "
               "events offload offload-after offload-exempt-mark offload-exempt-mask offload-exempt-devices early-devices").split(),
    "devices": ["name"],
    "policies": "policy id flush-matching older-flows flushed-flows warning".split(),
    "lro": "device ifindex mode limit segments aggregates bytes reasons".split(),
}
CMD = {name: number for number, name in enumerate(OPS, 1)} | {"policies-add": 22, "lro-set": 23, "lro-del": 24, "lro-get": 25}
SNAT, MASQUERADE, DNAT, NO_SNAT, NO_DNAT, REDIRECT = range(6)


def attr(kind, data, length=None):
    size = 4 + len(data) if length is None else length
    return struct.pack("=HH", size, kind) + data + bytes(-len(data) % 4)


def u8(value):
    return struct.pack("=B", value)


def u16(value):
    return struct.pack("=H", value)


def u32(value):
    return struct.pack("=I", value)


def ip(text):
    return socket.inet_aton(text)


def name(text):
    return text.encode() + b"\0"


def make(space, **fields):
    """Attributes by name, with _ for -; a list stands for several of one name, a dict for a nest."""
    out = b""
    for key, values in fields.items():
        number = SETS[space].index(key.replace("_", "-")) + 1
        for value in values if isinstance(values, list) else [values]:
            out += attr(number, value)
    return out


def nest(space, key, inner, flag=NESTED):
    return attr((SETS[space].index(key) + 1) | flag, inner)


def policy(**fields):
    return make("policy", **fields)


def pool(**fields):
    return make("pool", **fields)


def config(**fields):
    return make("config", **fields)


def lro(**fields):
    return make("lro", **fields)


def devices(*names, key="offload-exempt-devices"):
    return nest("config", key, make("devices", name=list(names)))


def early(*names):
    return devices(*names, key="early-devices")


def targets(*each, **fields):
    """A dnat policy to several targets."""
    return policy(action=u32(DNAT), **fields) + b"".join(nest("policy", "target", make("target", **one)) for one in each)


def policies(*bodies, flag=NESTED):
    return b"".join(nest("policies", "policy", body, flag) for body in bodies)


class Genl:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self.sock.bind((0, 0))
        self.sock.settimeout(5)
        self.seq = 0

    def send(self, kind, flags, body):
        self.seq += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags, self.seq, 0) + body)

    def replies(self):
        """(type, payload) until the acknowledgement, the error or the end of a dump."""
        while True:
            data = self.sock.recv(1 << 16)
            while len(data) >= 16:
                length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
                body, data = data[16:length], data[(length + 3) & ~3:]
                if seq != self.seq:
                    continue
                yield kind, flags, body
                if kind in (ERROR, DONE):
                    return

    def call(self, kind, flags, body):
        """The errno (0 for success), the extended ack's message, and the payloads."""
        self.send(kind, flags, body)
        code, message, payloads = 0, "", []
        for kind_, flags_, body_ in self.replies():
            if kind_ == ERROR:
                code = -struct.unpack_from("=i", body_)[0]
                if flags_ & ACK_TLVS:
                    message = tlv_message(body_[20:])
            elif kind_ == DONE:
                code = -struct.unpack_from("=i", body_)[0] if len(body_) >= 4 else 0
            else:
                payloads.append(body_)
        return code, message, payloads

    def family(self, text):
        body = struct.pack("=BBH", 3, 1, 0) + attr(2, name(text))
        code, _, payloads = self.call(16, REQUEST | ACK, body)
        if code:
            sys.exit(f"Bail out! no generic netlink family {text}: {errno.errorcode.get(code, code)}")
        data = payloads[0][4:]
        while len(data) >= 4:
            length, kind = struct.unpack_from("=HH", data)
            if kind == 1:
                return struct.unpack_from("=H", data, 4)[0]
            data = data[(length + 3) & ~3:]
        sys.exit("Bail out! the family has no number")


def tlv_message(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if kind == 1:
            return data[4:length].rstrip(b"\0").decode(errors="replace")
        data = data[(length + 3) & ~3:]
    return ""


genl = Genl()
FAMILY = genl.family("fastnat")


def request(op, body, flags=REQUEST | ACK, link=None):
    number = op if isinstance(op, int) else CMD[op]
    return (link or genl).call(FAMILY, flags, struct.pack("=BBH", number, 1, 0) + body)


def state():
    """All configuration, as the kernel says it."""
    return [request("policy-get", b"", REQUEST | DUMP)[2], request("pool-get", b"", REQUEST | DUMP)[2],
            request("config-get", b"")[2], request("lro-get", b"", REQUEST | DUMP)[2]]


GOOD = dict(action=u32(MASQUERADE), out_iface=name("wan0"))
ONE = nest("pool", "range", make("range", addr_min=ip("203.0.113.50")))
WANT_MESSAGE, ANY = True, False

# what, operation, attributes, whether a message must explain the refusal
REFUSED = {
    "attributes that are cut, too short or garbage": [
        ("length beyond the message", "policy-add", attr(3, u32(MASQUERADE), 400), ANY),
        ("length below a header", "policy-add", attr(3, u32(MASQUERADE), 2), ANY),
        ("length 0", "policy-add", policy(action=u32(MASQUERADE)) + attr(1, b"", 0), ANY),
        ("trailing bytes", "policy-add", policy(**GOOD) + b"\x07\x00\x00", ANY),
        ("unknown attribute", "policy-add", policy(**GOOD) + attr(99, u32(1)), WANT_MESSAGE),
        ("attribute 0", "policy-add", policy(**GOOD) + attr(0, u32(1)), ANY),
        ("read-only attribute", "policy-add", policy(**GOOD, hits=bytes(8)), WANT_MESSAGE),
        ("more buckets than there may be", "config-set", config(timeout_udp=u32(9), buckets=u32(1 << 28)), WANT_MESSAGE),
        ("u32 of 2 bytes", "policy-add", policy(action=u16(MASQUERADE), out_iface=name("wan0")), WANT_MESSAGE),
        ("u32 of 8 bytes", "policy-add", policy(action=bytes(8), out_iface=name("wan0")), WANT_MESSAGE),
        ("u8 of 4 bytes", "policy-add", policy(**GOOD, proto=u32(17)), WANT_MESSAGE),
        ("u16 of 1 byte", "policy-add", policy(**GOOD, proto=u8(17), dst_port_min=u8(5)), WANT_MESSAGE),
        ("empty u32", "policy-add", policy(action=b"", out_iface=name("wan0")), WANT_MESSAGE),
        ("address of 3 bytes", "policy-add", policy(**GOOD, src_addr=b"\x0a\0\0"), WANT_MESSAGE),
        ("address of 16 bytes", "policy-add", policy(**GOOD, src_addr=bytes(16)), WANT_MESSAGE),
        ("interface name of 16", "policy-add", policy(action=u32(MASQUERADE), out_iface=name("x" * 16)), WANT_MESSAGE),
        ("pool name of 32", "pool-add", pool(name=name("x" * 32)) + ONE, WANT_MESSAGE),
        ("empty pool name", "pool-add", pool(name=name("")) + ONE, WANT_MESSAGE),
        ("duplicate that is wrong", "policy-add", policy(action=[u32(MASQUERADE), u32(99)]), ANY),
        ("a nest that is not marked", "pool-add", pool(name=name("n")) + nest("pool", "range", make("range", addr_min=ip("203.0.113.50")), 0), ANY),
        ("a nest of garbage", "pool-add", pool(name=name("n")) + nest("pool", "range", b"\xff" * 24), ANY),
        ("a duplicate in a nest", "pool-add", pool(name=name("n")) + nest("pool", "range", make("range", addr_min=[ip("203.0.113.50")] * 2)), WANT_MESSAGE),
        ("a duplicate in a tuple", "flow-get", make("flow", proto=u8(17)) + nest("flow", "orig", make("tuple",
            src_addr=ip("10.0.0.1"), dst_addr=[ip("10.0.0.2")] * 2)), WANT_MESSAGE),
        ("a list of devices with something else", "config-set", nest("config", "offload-exempt-devices", make("devices", name=name("a")) + attr(2, u32(1))), WANT_MESSAGE),
        ("a nest that is empty", "pool-add", pool(name=name("n")) + nest("pool", "range", b""), WANT_MESSAGE),
        ("a nest cut inside", "pool-add", pool(name=name("n")) + nest("pool", "range", attr(1, b"\xcb\0", 12)), ANY),
        ("a tuple of garbage", "flow-get", make("flow", proto=u8(17)) + nest("flow", "orig", os.urandom(40)), ANY),
        ("40 KB of one attribute", "policy-add", policy(priority=[u32(1)] * 5000), WANT_MESSAGE),
        ("an attribute of 60 KB", "pool-add", pool(name=b"x" * 60000), ANY),
    ],
    "policies that make no sense": [
        ("nothing", "policy-add", b"", WANT_MESSAGE),
        ("no action", "policy-add", policy(out_iface=name("wan0")), WANT_MESSAGE),
        ("unknown action", "policy-add", policy(action=u32(99)), WANT_MESSAGE),
        ("id 0", "policy-add", policy(**GOOD, id=u32(0)), WANT_MESSAGE),
        ("id taken", "policy-add", policy(**GOOD, id=u32(11)), WANT_MESSAGE),
        ("protocol 0", "policy-add", policy(**GOOD, proto=u8(0)), WANT_MESSAGE),
        ("prefix 33", "policy-add", policy(**GOOD, src_addr=ip("10.0.0.0"), src_prefix=u8(33)), WANT_MESSAGE),
        ("prefix without address", "policy-add", policy(**GOOD, src_prefix=u8(8)), WANT_MESSAGE),
        ("ports without protocol", "policy-add", policy(**GOOD, dst_port_min=u16(1)), WANT_MESSAGE),
        ("ports of ICMP", "policy-add", policy(**GOOD, proto=u8(1), dst_port_min=u16(1)), WANT_MESSAGE),
        ("ports backwards", "policy-add", policy(**GOOD, proto=u8(6), dst_port_min=u16(9), dst_port_max=u16(8)), WANT_MESSAGE),
        ("last port without first", "policy-add", policy(**GOOD, proto=u8(6), dst_port_max=u16(8)), WANT_MESSAGE),
        ("mask without mark", "policy-add", policy(**GOOD, mark_mask=u32(8)), WANT_MESSAGE),
        ("snat without pool", "policy-add", policy(action=u32(SNAT)), WANT_MESSAGE),
        ("snat with unknown pool", "policy-add", policy(action=u32(SNAT), pool=name("nosuch")), WANT_MESSAGE),
        ("snat with destination", "policy-add", policy(action=u32(SNAT), pool=name("used"), to_addr=ip("10.0.0.1")), WANT_MESSAGE),
        ("dnat without destination", "policy-add", policy(action=u32(DNAT)), WANT_MESSAGE),
        ("dnat with pool", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), pool=name("used")), WANT_MESSAGE),
        ("dnat with output interface", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), out_iface=name("wan0")), WANT_MESSAGE),
        ("dnat with group of output", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), out_group=u32(0)), WANT_MESSAGE),
        ("name and group", "policy-add", policy(**GOOD, out_group=u32(1)), WANT_MESSAGE),
        ("group of 1 byte", "policy-add", policy(**GOOD, in_group=u8(1)), WANT_MESSAGE),
        ("empty name", "policy-add", policy(**GOOD, in_iface=name("")), WANT_MESSAGE),
        ("a star alone", "policy-add", policy(**GOOD, in_iface=name("*")), WANT_MESSAGE),
        ("a star that is not the end", "policy-add", policy(**GOOD, in_iface=name("a*b")), WANT_MESSAGE),
        ("two stars", "policy-add", policy(**GOOD, in_iface=name("a**")), WANT_MESSAGE),
        ("dnat of 3 ports to 2", "policy-add", policy(action=u32(DNAT), proto=u8(6), dst_port_min=u16(10), dst_port_max=u16(12),
            to_addr=ip("10.0.0.1"), to_port_min=u16(20), to_port_max=u16(21)), WANT_MESSAGE),
        ("dnat of 3 ports to 2 at the end", "policy-add", policy(action=u32(DNAT), proto=u8(6), dst_port_min=u16(10), dst_port_max=u16(12),
            to_addr=ip("10.0.0.1"), to_port_min=u16(65534), to_port_max=u16(65535)), WANT_MESSAGE),
        ("exemption with pool", "policy-add", policy(action=u32(NO_SNAT), pool=name("used")), WANT_MESSAGE),
        ("exemption that is offloaded", "policy-add", policy(action=u32(NO_SNAT), offload=u32(2)), WANT_MESSAGE),
        ("exemption offloaded after some", "policy-add", policy(action=u32(NO_DNAT), offload_after=u8(2)), WANT_MESSAGE),
        ("unknown offload", "policy-add", policy(**GOOD, offload=u32(3)), WANT_MESSAGE),
        ("masquerade of GRE", "policy-add", policy(**GOOD, proto=u8(47)), WANT_MESSAGE),
        ("dnat of SCTP", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), proto=u8(132)), WANT_MESSAGE),
        ("masquerade of multicast", "policy-add", policy(**GOOD, dst_addr=ip("224.0.0.0"), dst_prefix=u8(4)), WANT_MESSAGE),
        ("dnat of broadcast", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), dst_addr=ip("255.255.255.255")), WANT_MESSAGE),
        ("snat to loopback", "policy-add", policy(action=u32(SNAT), src_addr=ip("10.0.0.1"), to_addr=ip("127.0.0.1")), WANT_MESSAGE),
        ("older flows asked for", "policy-add", policy(**GOOD, older_flows=u32(1)), WANT_MESSAGE),
        ("a flag of 4 bytes", "policy-add", policy(**GOOD, flush_matching=u32(1)), WANT_MESSAGE),
        ("a flag twice", "policy-add", policy(**GOOD, flush_matching=[b"", b""]), WANT_MESSAGE),
        ("a warning", "policy-add", policy(**GOOD) + nest("policy", "warning", attr(1, u32(0))), WANT_MESSAGE),
        ("delete nothing", "policy-del", b"", WANT_MESSAGE),
        ("delete the unknown", "policy-del", policy(id=u32(4711)), WANT_MESSAGE),
        ("delete two unknown", "policy-del", policy(id=[u32(4711), u32(4712)]), ANY),
    ],
    "targets that make no sense": [
        ("a target without address", "policy-add", targets(dict(addr=ip("10.0.0.1")), dict(weight=u16(2))), WANT_MESSAGE),
        ("an empty target", "policy-add", targets(dict()), WANT_MESSAGE),
        ("weight 0", "policy-add", targets(dict(addr=ip("10.0.0.1"), weight=u16(0))), WANT_MESSAGE),
        ("a weight of 4 bytes", "policy-add", targets(dict(addr=ip("10.0.0.1"), weight=u32(1))), WANT_MESSAGE),
        ("an address twice in a target", "policy-add", targets(dict(addr=[ip("10.0.0.1"), ip("10.0.0.2")])), WANT_MESSAGE),
        ("a target twice", "policy-add", targets(dict(addr=ip("10.0.0.1")), dict(addr=ip("10.0.0.1"), weight=u16(9))), WANT_MESSAGE),
        ("an unknown attribute in a target", "policy-add", policy(action=u32(DNAT)) + nest("policy", "target",
            make("target", addr=ip("10.0.0.1")) + attr(9, u32(1))), WANT_MESSAGE),
        ("65 targets", "policy-add", targets(*[dict(addr=ip(f"10.0.0.{i}")) for i in range(1, 66)]), WANT_MESSAGE),
        ("targets and to-addr", "policy-add", targets(dict(addr=ip("10.0.0.1")), to_addr=ip("10.0.0.2")), WANT_MESSAGE),
        ("targets and to-port", "policy-add", targets(dict(addr=ip("10.0.0.1")), proto=u8(6), to_port_min=u16(2)), WANT_MESSAGE),
        ("ports of a target without protocol", "policy-add", targets(dict(addr=ip("10.0.0.1"), port_min=u16(80))), WANT_MESSAGE),
        ("a last port alone", "policy-add", targets(dict(addr=ip("10.0.0.1"), port_max=u16(80)), proto=u8(6)), WANT_MESSAGE),
        ("unknown balance", "policy-add", targets(dict(addr=ip("10.0.0.1")), balance=u32(2)), WANT_MESSAGE),
        ("balance without targets", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), balance=u32(1)), WANT_MESSAGE),
        ("balance of a masquerade policy", "policy-add", policy(**GOOD, balance=u32(1)), WANT_MESSAGE),
        ("targets of a masquerade policy", "policy-add", policy(**GOOD) + nest("policy", "target", make("target", addr=ip("10.0.0.1"))), WANT_MESSAGE),
        ("targets of an exemption", "policy-add", policy(action=u32(NO_DNAT)) + nest("policy", "target", make("target", addr=ip("10.0.0.1"))), WANT_MESSAGE),
        ("a bad target in one of several policies", "policies-add", policies(policy(**GOOD), targets(dict(weight=u16(2)))), WANT_MESSAGE),
    ],
    "networks that do not map": [
        ("one longer than what is matched", "policy-add", policy(action=u32(DNAT), dst_addr=ip("10.0.0.0"), dst_prefix=u8(8),
            to_addr=ip("10.1.0.0"), to_prefix=u8(16)), WANT_MESSAGE),
        ("one for everything", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.0"), to_prefix=u8(8)), WANT_MESSAGE),
        ("a host for a network", "policy-add", policy(action=u32(SNAT), src_addr=ip("10.0.0.0"), src_prefix=u8(8), to_addr=ip("192.0.2.1")), WANT_MESSAGE),
        ("length 0", "policy-add", policy(action=u32(DNAT), to_addr=ip("0.0.0.0"), to_prefix=u8(0)), WANT_MESSAGE),
        ("length 33", "policy-add", policy(action=u32(DNAT), to_addr=ip("10.0.0.1"), to_prefix=u8(33)), WANT_MESSAGE),
        ("bits beyond the length", "policy-add", policy(action=u32(DNAT), dst_addr=ip("10.0.0.0"), dst_prefix=u8(8),
            to_addr=ip("10.0.0.1"), to_prefix=u8(8)), WANT_MESSAGE),
        ("a length without an address", "policy-add", policy(action=u32(SNAT), src_addr=ip("10.0.0.0"), src_prefix=u8(8), to_prefix=u8(8)), WANT_MESSAGE),
        ("snat with ports", "policy-add", policy(action=u32(SNAT), proto=u8(6), src_addr=ip("10.0.0.1"), to_addr=ip("192.0.2.1"),
            to_port_min=u16(5)), WANT_MESSAGE),
        ("a masquerade policy", "policy-add", policy(**GOOD, to_prefix=u8(8)), WANT_MESSAGE),
        ("multicast", "policy-add", policy(action=u32(SNAT), src_addr=ip("128.0.0.0"), src_prefix=u8(1), to_addr=ip("128.0.0.0"), to_prefix=u8(1)), WANT_MESSAGE),
        ("a network among targets", "policy-add", targets(dict(addr=ip("10.0.0.1")), to_prefix=u8(8)), WANT_MESSAGE),
    ],
    "redirects that make no sense": [
        ("one with an address", "policy-add", policy(action=u32(REDIRECT), to_addr=ip("10.0.0.1")), WANT_MESSAGE),
        ("one with a length", "policy-add", policy(action=u32(REDIRECT), to_prefix=u8(8)), WANT_MESSAGE),
        ("one with a pool", "policy-add", policy(action=u32(REDIRECT), pool=name("used")), WANT_MESSAGE),
        ("one with targets", "policy-add", policy(action=u32(REDIRECT)) + nest("policy", "target", make("target", addr=ip("10.0.0.1"))), WANT_MESSAGE),
        ("one with an output interface", "policy-add", policy(action=u32(REDIRECT), out_iface=name("wan0")), WANT_MESSAGE),
        ("ports without protocol", "policy-add", policy(action=u32(REDIRECT), to_port_min=u16(80)), WANT_MESSAGE),
        ("a last port alone", "policy-add", policy(action=u32(REDIRECT), proto=u8(6), to_port_max=u16(80)), WANT_MESSAGE),
    ],
    "several policies of which one is bad": [
        ("none at all", "policies-add", b"", WANT_MESSAGE),
        ("an empty one", "policies-add", policies(policy(**GOOD), b""), WANT_MESSAGE),
        ("the last has no pool", "policies-add", policies(policy(**GOOD), policy(**GOOD), policy(action=u32(SNAT))), WANT_MESSAGE),
        ("the first names an unknown pool", "policies-add", policies(policy(action=u32(SNAT), pool=name("nosuch")), policy(**GOOD)), WANT_MESSAGE),
        ("an id is taken", "policies-add", policies(policy(**GOOD), policy(**GOOD, id=u32(11))), WANT_MESSAGE),
        ("two have one id", "policies-add", policies(policy(**GOOD, id=u32(900)), policy(**GOOD), policy(**GOOD, id=u32(900))), WANT_MESSAGE),
        ("id 0", "policies-add", policies(policy(**GOOD, id=u32(0))), WANT_MESSAGE),
        ("a priority twice", "policies-add", policies(policy(**GOOD), policy(**GOOD, priority=[u32(1), u32(2)])), WANT_MESSAGE),
        ("a read-only attribute", "policies-add", policies(policy(**GOOD), policy(**GOOD, hits=bytes(8))), WANT_MESSAGE),
        ("an unknown attribute", "policies-add", policies(policy(**GOOD), policy(**GOOD) + attr(99, u32(1))), WANT_MESSAGE),
        ("a flush in a policy", "policies-add", policies(policy(**GOOD, flush_matching=b"")), WANT_MESSAGE),
        ("a flag of 1 byte", "policies-add", policies(policy(**GOOD)) + make("policies", flush_matching=b"\1"), WANT_MESSAGE),
        ("a flag twice", "policies-add", policies(policy(**GOOD)) + make("policies", flush_matching=[b"", b""]), WANT_MESSAGE),
        ("an id outside", "policies-add", policies(policy(**GOOD)) + make("policies", id=u32(900)), WANT_MESSAGE),
        ("a policy outside", "policies-add", policy(**GOOD), ANY),
        ("not marked as nests", "policies-add", policies(policy(**GOOD), flag=0), ANY),
        ("garbage", "policies-add", policies(policy(**GOOD), b"\xff" * 24), ANY),
        ("more than there may be", "policies-add", policies(*[policy(**GOOD)] * 2049), WANT_MESSAGE),
    ],
    "pools and settings that make no sense": [
        ("no name", "pool-add", ONE, WANT_MESSAGE),
        ("name taken", "pool-add", pool(name=name("used")) + ONE, WANT_MESSAGE),
        ("range without first", "pool-add", pool(name=name("n")) + nest("pool", "range", make("range", addr_max=ip("203.0.113.9"))), WANT_MESSAGE),
        ("range backwards", "pool-add", pool(name=name("n")) + nest("pool", "range", make("range", addr_min=ip("203.0.113.9"), addr_max=ip("203.0.113.1"))), WANT_MESSAGE),
        ("17 ranges", "pool-add", pool(name=name("n")) + b"".join(
            nest("pool", "range", make("range", addr_min=ip(f"203.0.113.{i}"))) for i in range(1, 18)), WANT_MESSAGE),
        ("65537 addresses", "pool-add", pool(name=name("n")) + nest("pool", "range", make("range", addr_min=ip("10.0.0.0"), addr_max=ip("10.1.0.0"))), WANT_MESSAGE),
        ("ports backwards", "pool-add", pool(name=name("n"), port_min=u16(9), port_max=u16(8)) + ONE, WANT_MESSAGE),
        ("port 0", "pool-add", pool(name=name("n"), port_min=u16(0)) + ONE, WANT_MESSAGE),
        ("unknown allocation", "pool-add", pool(name=name("n"), allocation=u32(7)) + ONE, WANT_MESSAGE),
        ("delete without name", "pool-del", b"", WANT_MESSAGE),
        ("delete the unknown", "pool-del", pool(name=name("nosuch")), WANT_MESSAGE),
        ("delete one in use", "pool-del", pool(name=name("used")), WANT_MESSAGE),
        ("no flows", "config-set", config(max_flows=u32(0)), WANT_MESSAGE),
        ("no time", "config-set", config(timeout_tcp=u32(0)), WANT_MESSAGE),
        ("all time", "config-set", config(timeout_udp=u32(0xFFFFFFFF)), WANT_MESSAGE),
        ("unknown mode", "config-set", config(conntrack=u32(9)), WANT_MESSAGE),
        ("unknown offload", "config-set", config(offload=u32(2)), WANT_MESSAGE),
        ("offload after nothing", "config-set", config(offload=u32(1), offload_after=u8(0)), WANT_MESSAGE),
        ("offload after 4 bytes", "config-set", config(offload_after=u32(4)), WANT_MESSAGE),
        ("mark outside its mask", "config-set", config(offload=u32(1), offload_exempt_mark=u32(8), offload_exempt_mask=u32(7)), WANT_MESSAGE),
        ("mark without mask", "config-set", config(offload=u32(1), offload_exempt_mark=u32(8)), WANT_MESSAGE),
        ("device without name", "config-set", config(offload=u32(1)) + devices(name("a"), name("")), WANT_MESSAGE),
        ("device with a long name", "config-set", config(offload=u32(1)) + devices(name("x" * 16)), WANT_MESSAGE),
        ("device name without end", "config-set", devices(name("a"), b"eth0"), WANT_MESSAGE),
        ("17 devices", "config-set", config(offload=u32(1)) + devices(*[name(f"d{i}") for i in range(17)]), WANT_MESSAGE),
        ("two lists of devices", "config-set", devices(name("a")) + devices(name("b")), WANT_MESSAGE),
        ("early device without name", "config-set", config(timeout_udp=u32(77)) + early(name("a"), name("")), WANT_MESSAGE),
        ("17 early devices", "config-set", config(timeout_udp=u32(77)) + early(*[name(f"d{i}") for i in range(17)]), WANT_MESSAGE),
        ("two lists of early devices", "config-set", early(name("a")) + early(name("b")), WANT_MESSAGE),
        ("good early devices, 17 others", "config-set", early(name("a")) + devices(*[name(f"d{i}") for i in range(17)]), WANT_MESSAGE),
        ("good early devices, bad mark", "config-set", early(name("a")) + config(offload_exempt_mark=u32(8)), WANT_MESSAGE),
        ("one good, one bad", "config-set", config(timeout_udp=u32(77), timeout_icmp=u32(0)), WANT_MESSAGE),
        ("one bad, one good", "config-set", config(conntrack=u32(9), max_flows=u32(77)), WANT_MESSAGE),
    ],
    "aggregation that makes no sense": [
        ("unknown mode", "lro-set", lro(mode=u32(3)), WANT_MESSAGE),
        ("mode of 1 byte", "lro-set", lro(mode=u8(2)), WANT_MESSAGE),
        ("no segments", "lro-set", lro(mode=u32(2), limit=u8(0)), WANT_MESSAGE),
        ("one segment", "lro-set", lro(mode=u32(2), limit=u8(1)), WANT_MESSAGE),
        ("65 segments", "lro-set", lro(device=name("lan0"), limit=u8(65)), WANT_MESSAGE),
        ("segments of 4 bytes", "lro-set", lro(limit=u32(16)), WANT_MESSAGE),
        ("device without name", "lro-set", lro(device=name(""), mode=u32(2)), WANT_MESSAGE),
        ("device with a long name", "lro-set", lro(device=name("x" * 16), mode=u32(2)), WANT_MESSAGE),
        ("device name without end", "lro-set", lro(device=b"lan0", mode=u32(2)), WANT_MESSAGE),
        ("two devices", "lro-set", lro(device=[name("lan0"), name("wan0")], mode=u32(2)), WANT_MESSAGE),
        ("two modes", "lro-set", lro(mode=[u32(0), u32(2)]), WANT_MESSAGE),
        ("a number of its own", "lro-set", lro(device=name("wan0"), ifindex=u32(1)), WANT_MESSAGE),
        ("a counter", "lro-set", lro(device=name("wan0"), segments=bytes(8)), WANT_MESSAGE),
        ("delete the default", "lro-del", b"", WANT_MESSAGE),
        ("delete the unknown", "lro-del", lro(device=name("nosuch")), WANT_MESSAGE),
        ("delete without name", "lro-del", lro(device=name("")), WANT_MESSAGE),
        ("delete with a mode", "lro-del", lro(device=name("lan0"), mode=u32(0)), WANT_MESSAGE),
        ("the entry of a device", "lro-get", lro(device=name("lan0")), ANY),
    ],
    "questions that make no sense": [
        ("flow of no tuple", "flow-get", make("flow", proto=u8(17)), WANT_MESSAGE),
        ("flow of no protocol", "flow-get", nest("flow", "orig", make("tuple", src_addr=ip("10.0.0.1"))), WANT_MESSAGE),
        ("flow of half a tuple", "flow-get", make("flow", proto=u8(17)) + nest("flow", "orig", make("tuple", src_addr=ip("10.0.0.1"))), WANT_MESSAGE),
        ("flow that is not", "flow-get", make("flow", proto=u8(17)) + nest("flow", "orig", make("tuple",
            src_addr=ip("10.0.0.1"), src_port=u16(1), dst_addr=ip("10.0.0.2"), dst_port=u16(2))), WANT_MESSAGE),
        ("flush of an unknown policy", "flow-flush", make("flow", policy=u32(4711)), ANY),
        ("stats with an attribute", "stats-get", attr(1, bytes(8)), ANY),
        ("unknown operation", 200, b"", ANY),
        ("operation 0", 0, b"", ANY),
        ("a single policy", "policy-get", policy(id=u32(11)), ANY),
        ("a single binding", "binding-get", b"", ANY),
    ],
}

results = []


def test(what, function, *args):
    complaints = list(function(*args))
    for complaint in complaints:
        print(f"# FAIL: {complaint}")
    results.append(not complaints)
    print(f"{'not ok' if complaints else 'ok'} {len(results)} {what}", flush=True)


def refused(cases):
    before = state()
    for what, op, body, want_message in cases:
        code, message, _ = request(op, body)
        if code == 0 and what != "flush of an unknown policy":
            yield f"{op}, {what}: accepted"
        elif want_message and not message:
            yield f"{op}, {what}: {errno.errorcode.get(code, code)} without a message"
        if state() != before:
            yield f"{op}, {what}: changed something"
            before = state()


def headers():
    """Messages that end before their headers do."""
    before = state()
    for size in range(4):
        code, _, _ = genl.call(FAMILY, REQUEST | ACK, bytes([CMD["policy-add"]]) * size)
        if code == 0:
            yield f"{size} bytes of generic netlink header: accepted"
    for flags, op in ((REQUEST | DUMP, "policy-add"), (REQUEST | DUMP, "config-set"), (REQUEST | DUMP, "stats-get")):
        code, _, _ = request(op, policy(**GOOD) if op == "policy-add" else b"", flags)
        if code == 0:
            yield f"dump of {op}: accepted"
    if state() != before:
        yield "something changed"


def warned():
    """What is done and will surprise: no error, and words, also where the answer has no room for all."""
    same = policy(action=u32(MASQUERADE), out_iface=name("wan9"))
    for ids, expected in (((901,), ""), ((902,), "policy 902: is never asked, policy 901 matches all of it before"),
                          ((903, 904, 905), "policy 903: is never asked, policy 901 matches all of it before (+2 more)"),
                          (range(910, 930), "policy 910: is never asked, policy 901 matches all of it before (+19 more)")):
        body = policies(*(same + policy(id=u32(one)) for one in ids))
        code, message, (answer,) = request("policies-add", body)
        if code or message != expected:
            yield f"{len(ids)} policies: errno {code}, '{message}' in place of '{expected}'"
        kinds = [kind & ~NESTED for kind in attributes(answer[4:])]
        want = {2: len(ids), 4: 1, 6: min(16, len(ids) if expected else 0)}
        if {kind: kinds.count(kind) for kind in (2, 4, 6)} != want:
            yield f"{len(ids)} policies: attributes {kinds[:40]}"
        for one in ids if len(ids) > 1 else ():
            request("policy-del", policy(id=u32(one)))
    for one in (901, 902):
        request("policy-del", policy(id=u32(one)))
    code, message, _ = request("config-set", config(conntrack=u32(1), offload=u32(1)))
    if code or "offload" not in message:
        yield f"settings: errno {code}, '{message}'"
    request("config-set", config(conntrack=u32(0), offload=u32(0)))


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind
        data = data[(length + 3) & ~3:]


def in_child(prepare):
    """Every operation in a child that gave up its rights; what it may do is printed back."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prepare()
            link = Genl()
            codes = [request(op, body, flags, link)[0] for op, body, flags in (
                ("policy-add", policy(**GOOD), REQUEST | ACK), ("policy-del", policy(id=u32(11)), REQUEST | ACK),
                ("pool-add", pool(name=name("p")) + ONE, REQUEST | ACK), ("pool-del", pool(name=name("used")), REQUEST | ACK),
                ("config-set", config(timeout_udp=u32(5)), REQUEST | ACK), ("flow-flush", b"", REQUEST | ACK),
                ("policies-add", policies(policy(**GOOD)), REQUEST | ACK),
                ("lro-set", lro(device=name("lan0"), limit=u8(3)), REQUEST | ACK),
                ("lro-del", lro(device=name("lan0")), REQUEST | ACK), ("lro-get", b"", REQUEST | DUMP),
                ("config-get", b"", REQUEST | ACK), ("stats-get", b"", REQUEST | ACK),
                ("policy-get", b"", REQUEST | DUMP), ("flow-get", b"", REQUEST | DUMP),
                ("binding-get", b"", REQUEST | DUMP), ("pool-get", b"", REQUEST | DUMP))]
            os.write(write, " ".join(errno.errorcode.get(code, str(code)) for code in codes).encode())
        except OSError as error:
            os.write(write, f"child: {error}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def become_nobody():
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def unprivileged():
    before = state()
    for who, prepare in (("nobody", become_nobody), ("root of another user namespace", lambda: os.unshare(NEWUSER))):
        answer = in_child(prepare)
        if set(answer.split()) != {"EPERM"}:
            yield f"{who}: {answer}"
    if state() != before:
        yield "something changed"


def own_namespace():
    before = state()
    answer = in_child(lambda: os.unshare(NEWUSER | NEWNET))
    if answer.split()[:1] != ["0"] or "EPERM" in answer:
        yield f"root of its own namespaces: {answer}"
    if state() != before:
        yield "something changed here"


def noise():
    """Random messages, then whether honest ones are still served."""
    dice = random.Random(20)
    served = 0
    for _ in range(1200):
        body = b"".join(attr(dice.randrange(24) | dice.choice((0, 0, 0, NESTED)), dice.randbytes(dice.choice((0, 1, 2, 4, 4, 4, 8, 12))))
                        for _ in range(dice.randrange(7)))
        if dice.random() < 0.2:
            body = body[:dice.randrange(len(body) + 1)]
        code, _, _ = request(dice.randrange(14), body)
        served += code == 0
    print(f"# of 1200 random messages {served} were accepted")
    if request("config-get", b"")[0]:
        yield "config-get fails afterwards"


TESTS = [(what, refused, cases) for what, cases in REFUSED.items()]
TESTS += [("messages that end in their headers", headers), ("requests that are done and surprise", warned), ("unprivileged users", unprivileged),
          ("the root of a namespace of its own", own_namespace), ("random messages", noise)]

print("KTAP version 1")
print(f"1..{len(TESTS)}")
for entry in TESTS:
    test(*entry)
sys.exit(0 if all(results) else 1)
