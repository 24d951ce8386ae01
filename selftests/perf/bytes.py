#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares what the gateway transmits with what a reference says. Run by bytes.sh; prints KTAP."""

import argparse
import json
import random
import subprocess
import sys

from bytes_reference import Flow, Wire, describe, kept_packets, original, records, translate

BENCH = "/sys/kernel/debug/fastnat_bench/"

PROTOCOLS = {"tcp": 6, "udp": 17}

# How packets come in: what the device says of checksums, how it hands over, how long packets are.
WAYS = (
    {"rx": "gro", "len": 60, "csum": "unnecessary"},
    {"rx": "single", "len": 61, "csum": "none"},
    {"rx": "list", "len": 333, "csum": "complete"},
    {"rx": "gro", "len": 60, "csum": "zero"},
    {"rx": "gro", "len": 1514, "csum": "complete", "burst": 4},
    {"rx": "gro", "len": 1500, "csum": "none", "burst": 4, "order": "shuffle"},
    {"rx": "gro", "len": 90, "csum": "unnecessary", "ttl": 2},
)


def tell(command):
    with open(BENCH + "run", "w", encoding="ascii") as file:
        file.write(command)
    with open(BENCH + "result", encoding="ascii") as file:
        return dict(line.split() for line in file)


def fastnat(*words):
    done = subprocess.run(("fastnat", "--json") + words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"fastnat {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def make_flows(count, rng):
    """Half UDP, half TCP; no two alike."""
    flows = set()
    while len(flows) < count:
        proto = 6 if len(flows) * 2 >= count else 17
        inside = f"10.1.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        outside = f"198.1{rng.choice('89')}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        flows.add(Flow(inside, outside, rng.randrange(1, 65536), rng.randrange(1, 65536), proto))
    return sorted(flows, key=lambda flow: (-flow.proto, flow))


class Arm:
    """A way of forwarding: how it is set up, and as what it lets flows come out."""

    translates, offloads = True, False

    def __init__(self, flows):
        self.flows = flows

    def begin(self):
        if not fastnat("policy", "list"):
            fastnat("pool", "add", "outside", "--range", "203.0.113.0/28")
            fastnat("policy", "add", "snat", "--pool", "outside", "--src", "10.0.0.0/8", "--out", "bench1")
        if self.offloads:
            fastnat("config", "set", "--offload", "on", "--offload-after", "1")

    def outside(self):
        """What fastnat itself says of each flow."""
        known = {}
        for flow in fastnat("flow", "list"):
            orig, out = flow["orig"], flow["translated"]
            key = Flow(orig["src-addr"], orig["dst-addr"], orig["src-port"], orig["dst-port"], PROTOCOLS[flow["proto"]])
            known[key] = key._replace(saddr=out["src-addr"], sport=out["src-port"])
        return [known.get(flow) for flow in self.flows]


class Forward(Arm):
    translates = False

    def begin(self):
        pass

    def outside(self):
        return self.flows


class Hooks(Arm):
    pass


class Offload(Arm):
    offloads = True


ARMS = {"forward": Forward, "fastnat": Hooks, "fastnat-offload": Offload}


def offloaded():
    return int(fastnat("stats").get("offloaded", 0))


class Comparison:
    """One run in one direction, and what was wrong with it."""

    def __init__(self, arm, way, back, packets):
        self.arm, self.way, self.back, self.packets, self.wrong = arm, dict(way), back, packets, []

    def run(self, outside):
        """Sends, and compares all that came out."""
        before = offloaded() if self.arm.translates else 0
        words = " ".join(f"{name}={value}" for name, value in self.way.items())
        dev = "bench1 flows=captured" if self.back else "bench0"
        got = tell(f"dev={dev} packets={self.packets} keep={self.packets} {words}")
        if int(got["received"]) != self.packets or int(got["kept"]) != self.packets:
            self.wrong.append(f"{got['received']} of {self.packets} packets came out, {got['kept']} were kept")
        if self.arm.offloads and offloaded() - before != self.handed_over():
            self.wrong.append(f"{offloaded() - before} were offloaded, not {self.handed_over()}")
        if self.arm.translates and not self.arm.offloads and offloaded() != before:
            self.wrong.append("something was offloaded")
        with open(BENCH + ("bench0" if self.back else "bench1") + "/packets", "rb") as file:
            self.compare(kept_packets(file.read()), outside)
        return self.wrong

    def handed_over(self):
        """As how many the packets came by: a burst of TCP is one if it is aggregated; half of them are TCP."""
        burst = int(self.way.get("burst", 1)) if self.way["rx"] == "gro" else 1
        return self.packets // 2 + self.packets // 2 // burst

    def compare(self, packets, outside):
        seen = set()
        for packet in packets:
            wire = Wire.read(packet, int(self.way.get("len", 60)))
            if wire is None or wire.index >= len(outside) or wire.seq in seen:
                self.wrong.append("not one of ours, or twice: " + packet[:64].hex())
                continue
            seen.add(wire.seq)
            want = self.expected(wire, outside)
            if want != packet:
                self.wrong.append(describe(packet, want))

    def expected(self, wire, outside):
        """The packet that was sent, by its index and place in the run, and translated by the reference."""
        inner, outer = self.arm.flows[wire.index], outside[wire.index]
        if self.back:
            inner, outer = outer.reversed(), inner.reversed()
        sent = original(inner, wire.index, wire.seq, wire.seq % int(self.way.get("burst", 1)), self.back, self.way)
        return translate(sent, outer, self.back)


class Report:
    """KTAP."""

    def __init__(self, count):
        self.number, self.failed = 0, False
        print(f"1..{count}")

    def show(self, name, wrong):
        self.number += 1
        self.failed = self.failed or bool(wrong)
        for line in wrong[:4]:
            print(f"# {line}")
        if len(wrong) > 4:
            print(f"# and {len(wrong) - 4} more")
        print(f"{'not ok' if wrong else 'ok'} {self.number} {name}", flush=True)


def warm(flows):
    """Every flow both ways, until nothing about it is new: TCP with its handshake."""
    half = len(flows) // 2
    tcp = f"from={next(i for i, flow in enumerate(flows) if flow.proto == 6)} count={half}"
    for dev in "bench0", "bench1":
        with open(BENCH + dev + "/captured", "wb"):
            pass
    tell(f"dev=bench0 {tcp} tcp=syn capture=1")
    tell(f"dev=bench1 flows=captured {tcp} tcp=synack")
    for _ in range(4):
        tell("dev=bench0 capture=1")
        tell("dev=bench1 flows=captured")


def captured_agrees(outside):
    """What the sink saw leave is what fastnat lists."""
    with open(BENCH + "bench1/captured", "rb") as file:
        return records(file.read()) == outside


def judge(name, arm, each, report):
    """All ways in both directions, by one arm."""
    arm.begin()
    warm(arm.flows)
    outside = arm.outside()
    wrong = [] if captured_agrees(outside) else ["what came out is not what is listed"]
    report.show(f"{name}: {len(arm.flows)} flows, translated as listed", wrong)
    for way in WAYS:
        packets = len(arm.flows) * max(each, way.get("burst", 1))
        for back in False, True:
            wrong = ["flows are missing"] if None in outside else Comparison(arm, way, back, packets).run(outside)
            words = " ".join(f"{key}={value}" for key, value in way.items())
            report.show(f"{name}, {'in' if back else 'out'}: {words}", wrong)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--flows", type=int, default=1000)
    options.add_argument("--each", type=int, default=3, help="packets of a flow in a run, at least")
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    args = options.parse_args()
    flows = make_flows(args.flows, random.Random(args.seed))
    with open(BENCH + "bench0/flows", "wb") as file:
        file.write(b"".join(flow.record() for flow in flows))
    # What is left to a device is never done here, so nothing is left to it.
    for dev in "bench0", "bench1":
        subprocess.run(("ethtool", "-K", dev, "tso", "off", "gso", "off", "tx", "off"), check=True, stdout=subprocess.DEVNULL)
    print("KTAP version 1")
    print(f"# seed {args.seed}")
    report = Report(len(args.arms) * (1 + 2 * len(WAYS)))
    for name in args.arms:
        judge(name, ARMS[name](flows), args.each, report)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
