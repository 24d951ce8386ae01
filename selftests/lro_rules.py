#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Bursts into a gateway, and what its GRO makes of them; see lro_rules.sh, which says what to do, a line for a command:

    links CLIENT GATEWAY SERVER MODE…    lan0, lan1 … of the gateway are in these modes
    rule NAME                            the cases of lro_rules_cases.py under that name, on all links
    translated NAME ADDR                 those of IPv4, in mode lro; all leave with ADDR as their source
    random SEED COUNT                    as many random bursts of each family, in mode lro

Runs in the gateway. The last line of an answer is ok or failed; the others are notes."""
import json
import os
import subprocess
import sys
import time
import traceback

from lro_rules_cases import ANY, CASES, UNCOUNTED, numbers, spans, spelled
from lro_rules_link import Capture, Link
from lro_rules_model import Random
from lro_rules_packet import forwarded, merged

SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))
WAIT = 3 * SLOW  # seconds, for what must come
HOLD = 40 * SLOW  # ms, that a burst has; twice as long if that is not enough
TRIES = 5
TOTALS = ("segments", "aggregates", "bytes")


def differences(what, got, want):
    """Where two packets differ, by their bytes."""
    if len(got) != len(want):
        return [f"{what}: {len(got)} bytes, want {len(want)}"]
    at = next((at for at in range(len(want)) if got[at] != want[at]), None)
    return [] if at is None else [f"{what}: from byte {at} on {got[at:at + 8].hex()}, want {want[at:at + 8].hex()}"]


class Statistics:
    """What `fastnat lro show` has counted for each device since the last time."""

    def __init__(self, gateway):
        self.command = [os.environ.get("FASTNAT", "fastnat"), "--netns", gateway, "--json", "lro", "show"]
        self.before = self.now()

    def now(self):
        answer = json.loads(subprocess.run(self.command, check=True, capture_output=True).stdout)
        counts = {}
        for entry in answer:
            counts[entry.get("device")] = {**{name: entry[name] for name in TOTALS},
                                           **entry["reasons"]}
        return counts

    def since(self):
        before, self.before = self.before, self.now()
        return {device: {name: count - before[device].get(name, 0) for name, count in counts.items()
                         if count != before[device].get(name, 0)}
                for device, counts in self.before.items() if device in before}


class Run:
    """A case in one family on one link: what is sent, what must arrive, what did."""

    def __init__(self, case, link, common):
        self.case, self.link = case, link
        self.packets = case.packets(src=link.source(common["family"]), **common)
        self.groups = [[self.packets[number] for number in group] for group in numbers(case.groups[link.mode])]
        self.leave = [self.leaves(packet) for group in self.groups for packet in forwarded(group)]
        self.near, self.far = [], []

    def leaves(self, packet):
        return packet

    def near_complete(self, count):
        return sum(seen.segments for seen in self.near) >= count

    def far_complete(self):
        return len(self.far) >= len(self.leave)

    def found(self):
        """Which segments are in what came out of GRO, as far as can be told by ports and sequence numbers."""
        left = list(range(len(self.packets)))
        return [self.take(seen, left) for seen in self.near]

    def take(self, seen, left):
        whole = next((number for number in left if self.packets[number].packet() == seen.packet), None)
        if whole is not None:
            left.remove(whole)
            return [whole]
        ports, seq, end = seen.stream
        taken = []
        for number in list(left):
            packet = self.packets[number]
            if (packet.ports, packet.seq & 0xFFFFFFFF) == (ports, seq & 0xFFFFFFFF) and seq < end:
                seq += len(packet.payload)
                taken.append(number)
                left.remove(number)
        return taken

    def counts(self, reasons):
        """What the device's counters must have grown by."""
        counts = {} if reasons is ANY else {**reasons}
        aggregates = [group for group in self.groups if len(group) > 1]
        if self.link.mode != "off" and aggregates:
            counts["aggregates"] = len(aggregates)
            counts["segments"] = sum(map(len, aggregates))
            counts["bytes"] = sum(len(packet.payload) for group in aggregates for packet in group)
        return counts

    def wrong(self, counted):
        """What is not as it should be."""
        got = spelled(self.found())
        want = spelled(numbers(self.case.groups[self.link.mode]))
        if got != want:
            return [f"behind GRO: packets {got or 'none'}, want {want}"] + self.wrong_counts(counted)
        return self.wrong_near() + self.wrong_far() + self.wrong_counts(counted)

    def wrong_near(self):
        faults = []
        for group, seen in zip(self.groups, self.near):
            whole, what = merged(group), f"behind GRO: {spans([self.packets.index(packet) for packet in group])}"
            faults += differences(what, seen.packet, whole.packet())
            if len(group) == 1:
                want = ("", 0)
            else:
                want = ("TCPv4" if whole.family == 4 else "TCPv6", len(group[0].payload))
            if (seen.gso, seen.gso_size) != want:
                faults.append(f"{what}: GSO {seen.gso} {seen.gso_size}, want {want}")
            if len(group) > 1 and seen.partial != (whole.transport_at, 16):
                faults.append(f"{what}: checksum left to the device at {seen.partial}")
        return faults

    def wrong_far(self):
        if len(self.far) != len(self.leave):
            return [f"beyond the gateway: {len(self.far)} packets, want {len(self.leave)}"]
        faults = []
        for number, (seen, packet) in enumerate(zip(self.far, self.leave)):
            what = f"beyond the gateway: packet {number} of {len(self.leave)}"
            faults += differences(what, seen.packet, packet.packet())
            if seen.gso or seen.partial:
                faults.append(f"{what}: is not as on a wire: GSO {seen.gso}, checksum left {seen.partial}")
        return faults

    def wrong_counts(self, counted):
        reasons = self.case.reasons[self.link.mode]
        if reasons is UNCOUNTED:
            return []
        if reasons is ANY:
            counted = {name: count for name, count in counted.items() if name in TOTALS}
        want = self.counts(reasons)
        return [] if counted == want else [f"counted {counted}, want {want}"]


class Translated(Run):
    """The same, but the gateway gives packets another source."""
    address = ""

    def leaves(self, packet):
        return packet.but(src=self.address)

    def wrong_far(self):
        for seen in self.far[:1]:
            self.leave = [packet.but(sport=seen.stream[0][0]) for packet in self.leave]
        return super().wrong_far()


class Rules:
    def __init__(self):
        self.links, self.far, self.statistics, self.port = [], None, None, 1000

    def setup(self, client, gateway, server, *modes):
        self.links = [Link(mode, number, client, gateway) for number, mode in enumerate(modes)]
        self.far = Capture(server, "eth0")
        self.statistics = Statistics(gateway)
        return []

    def attempt(self, hold, kind, links, case, family):
        """None if a burst was too slow to judge by."""
        self.port += 10
        for link in links:
            link.hold(hold)
        common = {"family": family, "dst": "192.0.2.2" if family == 4 else "2001:db8:ff::2", "sport": self.port}
        runs = [kind(case, link, common) for link in links]
        late = False
        for first, end in case.polls():
            late |= any([run.link.burst(run.packets[first:end], WAIT) for run in runs])
            deadline = time.monotonic() + WAIT
            for run in runs:
                self.collect_near(run, end, deadline)
        self.collect_far(runs, deadline)
        counted = self.statistics.since()
        for run in runs:
            run.near += [seen for seen in run.link.mark(WAIT)[1] if seen.src]
        if late:
            return None
        return [f"{case.what}, IPv{family}, mode {run.link.mode}: {fault}"
                for run in runs for fault in run.wrong(counted[run.link.device])]

    @staticmethod
    def collect_near(run, count, deadline):
        while not run.near_complete(count):
            seen = run.link.near.next(deadline)
            if not seen:
                return
            if seen.src == run.packets[0].src:
                run.near.append(seen)

    def collect_far(self, runs, deadline):
        by_source = {run.leave[0].src: run for run in runs}
        while not all(run.far_complete() for run in runs):
            seen = self.far.next(deadline)
            if not seen:
                return
            if seen.src in by_source:
                by_source[seen.src].far.append(seen)

    def run(self, *what):
        for times in range(TRIES):
            faults = self.attempt(HOLD << times, *what)
            if faults is not None:
                return faults
        return ["no burst was sent in time"]

    def rule(self, name):
        """On all links."""
        return [fault for case in CASES[name] for family in case.families
                for fault in self.run(Run, self.links, case, family)]

    def translated(self, name, address):
        Translated.address = address
        return [fault for case in CASES[name] for fault in self.run(Translated, self.lro(), case, 4)]

    def random(self, seed, count):
        return [fault for number in range(int(count)) for family in (4, 6)
                for fault in self.run(Run, self.lro(), Random(f"{seed}.{number}", family), family)]

    def lro(self):
        return [link for link in self.links if link.mode == "lro"]


RULES = Rules()


def answer(words):
    try:
        return {"links": RULES.setup, "rule": RULES.rule, "translated": RULES.translated,
                "random": RULES.random}[words[0]](*words[1:])
    except Exception:  # a mistake in a test must not look like a hang
        return traceback.format_exc().splitlines()


for line in sys.stdin:
    faults = answer(line.split())
    for fault in faults:
        print("#", fault)
    print("failed" if faults else "ok", flush=True)
