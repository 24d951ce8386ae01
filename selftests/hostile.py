#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends the packets of hostile_corpus.py through a gateway and judges what becomes of them, for hostile.sh:

    hostile.py CLIENT GATEWAY SERVER (GROUP | random COUNT SEED)    three namespaces

Both ends are packet sockets: nobody answers there, and nothing is seen that was not sent or came out of the gateway.
After each case a datagram of a flow that was there before goes each way; what comes out before it is of that case."""
import ipaddress
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time

from hostile_corpus import (CLIENT, GATEWAY, GROUPS, IN, KNOWN, SERVER, SERVICE, Drop, Stack, Through, quotes)
from hostile_packets import Seen, joined, mend, put16, udp

SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))
INSIDE = ipaddress.ip_network("10.0.0.0/8")
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
NEWNET = 0x40000000


def within(netns, function):
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    os.setns(there, NEWNET)
    try:
        return function()
    finally:
        os.setns(HOME, NEWNET)
        os.close(there)


def mac(netns, dev):
    done = subprocess.run(["ip", "-n", netns, "-j", "link", "show", "dev", dev], check=True, capture_output=True)
    return bytes.fromhex(json.loads(done.stdout)[0]["address"].replace(":", ""))


class End:
    """A host that is nothing but a packet socket."""

    def __init__(self, netns, gateway_mac):
        self.sock = within(netns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)))
        self.sock.bind(("eth0", 0x0003))
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.sock.settimeout(5 * SLOW)
        self.head = gateway_mac + self.sock.getsockname()[4] + b"\x08\x00"

    def send(self, packet):
        self.sock.send(self.head + packet)

    def until(self, tag):
        """What came out of the gateway before the datagram with this tag, and that one."""
        seen = []
        while True:
            frame, address = self.sock.recvfrom(70000)
            if address[2] == 4 or frame[12:14] != b"\x08\x00":  # our own, or not IPv4
                continue
            packet = Seen(frame[14:])
            if packet.body.endswith(tag):
                return seen, packet
            seen.append(packet)


class Gateway:
    def __init__(self, netns):
        self.netns = netns
        names = ("snmp", "netstat", "stat/rt_cache")
        self.files = [within(netns, lambda name=name: open("/proc/thread-self/net/" + name, encoding="ascii"))
                      for name in names]

    def fastnat(self, *words):
        done = subprocess.run([os.environ.get("FASTNAT", "fastnat"), "--netns", self.netns, "--json", *words],
                              check=True, capture_output=True)
        return json.loads(done.stdout or "null")

    def counters(self):
        found = {name: int(value) for name, value in self.fastnat("stats").items() if isinstance(value, (int, str))}
        rows = []
        for file in self.files:
            file.seek(0)
            rows.append([line.split() for line in file])
        for names, values in [pair for table in rows[:2] for pair in zip(table[::2], table[1::2])]:
            found.update((names[0].strip(":") + "." + name, int(value)) for name, value in zip(names[1:], values[1:]))
        for values in rows[2][1:]:
            for name, value in zip(rows[2][0], values):
                found["rt_cache." + name] = found.get("rt_cache." + name, 0) + int(value, 16)
        return found


class Judge:
    def __init__(self, client, gateway, server):
        self.gateway = Gateway(gateway)
        self.inside, self.outside = End(client, mac(gateway, "lan0")), End(server, mac(gateway, "wan0"))
        self.tags, self.failed, self.port = 0, 0, None
        self.gateway.fastnat("flow", "flush")
        self.normal_traffic()

    def fail(self, text):
        self.failed += 1
        print(f"# FAIL: {text}", flush=True)

    def tag(self):
        self.tags += 1
        return b"normal traffic" + struct.pack("!Q", self.tags)

    def normal_traffic(self):
        """What came out on the inside and on the outside before it got through."""
        tag = self.tag()
        self.inside.send(udp(CLIENT, SERVER, KNOWN, SERVICE, tag))
        outside, datagram = self.outside.until(tag)
        if self.port is None:
            self.port = datagram.ports[0]
        self.expect("normal traffic out", datagram, (GATEWAY, SERVER, (self.port, SERVICE)))
        tag = self.tag()
        self.outside.send(udp(SERVER, GATEWAY, SERVICE, self.port, tag))
        inside, datagram = self.inside.until(tag)
        self.expect("normal traffic in", datagram, (SERVER, CLIENT, (SERVICE, KNOWN)))
        return inside, outside

    def expect(self, what, seen, want):
        if (seen.src, seen.dst, seen.ports) != want or seen.faults():
            self.fail(f"{what}: {seen} {seen.faults()}, want {want}")

    def hides_inside(self, name, outside):
        for seen in outside:
            quoted = seen.quoted()
            shown = [seen.src] + ([quoted.src, quoted.dst] if quoted else [])
            if any(ipaddress.ip_address(addr) in INSIDE for addr in shown):
                self.fail(f"{name}: outside there was {seen}" + (f", about {quoted}" if quoted else ""))

    def case(self, name, side, packets, want):
        before = self.gateway.counters()
        end = self.inside if side == IN else self.outside
        for packet in packets:
            end.send(packet)
        inside, outside = self.normal_traffic()
        after = self.gateway.counters()
        rose = {key: value - before.get(key, 0) for key, value in after.items() if value > before.get(key, 0)}
        self.hides_inside(name, outside)
        out = joined(outside if side == IN else inside)
        may = getattr(want, "may_drop", set())
        drops = {key: value for key, value in rose.items() if key.startswith("drop-") and key not in may}
        if drops != ({want.reason: want.count} if isinstance(want, Drop) else {}):
            self.fail(f"{name}: dropped {drops}, want {getattr(want, 'reason', 'nothing')}")
        if rose.get("flows", 0) > want.flows:
            self.fail(f"{name}: made {rose['flows']} flows, may make {want.flows}")
        if isinstance(want, Stack) and not any(rose.get(key) for key in want.counters):
            self.fail(f"{name}: none of {want.counters} rose, but {rose}; out came {[str(seen) for seen in out]}")
        if isinstance(want, Through):
            self.came_out(name, side, out, want, rose)
        elif out:
            self.fail(f"{name}: out came {[str(seen) for seen in out]}; {rose}")

    def came_out(self, name, side, out, want, rose):
        if len(out) != want.count:
            self.fail(f"{name}: out came {[str(seen) for seen in out]}, want {want.count}; {rose}")
        for seen in out:
            src, dst = want.src or (GATEWAY if side == IN else None), want.dst or (CLIENT if side != IN else None)
            if seen.src != (src or seen.src) or seen.dst != (dst or seen.dst):
                self.fail(f"{name}: out came {seen}, want {src} > {dst}")
            if bool(seen.faults()) == want.right:
                self.fail(f"{name}: out came {seen} with wrong {seen.faults() or 'nothing'}")
            for check in want.checks:
                fault = check(seen)
                if fault:
                    self.fail(f"{name}: {seen} {fault}")

    def nothing_is_left(self):
        self.gateway.fastnat("flow", "flush")
        deadline = time.monotonic() + 5 * SLOW
        while True:
            left = self.gateway.counters()
            left = {name: left[name] for name in ("flows", "bindings")}
            if not any(left.values()):
                return
            if time.monotonic() > deadline:
                self.fail(f"after a flush there are {left}")
                return
            time.sleep(0.05)


def mutate(dice, packet):
    """A few changes; the header is made right again most times, or nothing would be seen of them."""
    packet = bytearray(packet)
    for _ in range(dice.randint(1, 4)):
        what = dice.randrange(5)
        if what == 0 and packet:
            packet[dice.randrange(len(packet))] ^= 1 << dice.randrange(8)
        elif what == 1 and packet:
            packet[dice.randrange(len(packet))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif what == 2:
            del packet[dice.randrange(len(packet) + 1):]
        elif what == 3:
            packet += dice.randbytes(dice.randrange(64))
        elif len(packet) >= 20:
            packet = bytearray(put16(bytes(packet), 2, dice.choice((0, 19, 20, 27, 28, 40, len(packet), 65535))))
    packet = bytes(packet)
    if len(packet) >= 20 and dice.random() < 0.8:
        if dice.random() < 0.8:
            packet = put16(packet, 2, len(packet))
        if packet[0] == 0x45:
            packet = mend(packet)
    return packet


def at_random(judge, count, seed):
    dice = random.Random(seed)
    corpus = [(side, packet) for group in GROUPS.values() for _, side, packets, _ in group() for packet in packets]
    corpus += [(side, packet) for _, side, packets, _ in quotes(judge.port) for packet in packets]
    batch = 50
    for begin in range(0, count, batch):
        for _ in range(min(batch, count - begin)):
            side, packet = dice.choice(corpus)
            end = judge.inside if side == IN else judge.outside
            end.send(mutate(dice, packet))
        _, outside = judge.normal_traffic()
        judge.hides_inside(f"packets {begin} to {begin + batch} of seed {seed}", outside)
        if judge.failed:
            return
    print(f"# {count} packets")


def main(client, gateway, server, group, *words):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # so that packets do not overtake each other
    judge = Judge(client, gateway, server)
    if group == "random":
        at_random(judge, *map(int, words))
    else:
        cases = list(quotes(judge.port) if group == "quotes" else GROUPS[group]())
        for case in cases:
            judge.case(*case)
        print(f"# {len(cases)} cases")
    judge.nothing_is_left()
    return 1 if judge.failed else 0


sys.exit(main(*sys.argv[1:]))
