# SPDX-License-Identifier: GPL-2.0
"""The steps that scenarios are made of: a gateway with flow arrays, flows warmed, a run, its row of the results."""
import source
from machine import INSIDE, OUTSIDE, Broken


def row(result, **more):
    """Processor time of the whole run: what tables cost to grow, and walks of a whole table, are part of the price."""
    names = {"ns": "cpu_ns_per_packet", "elapsed_ns": "ns_per_packet", "slice_median_ns": "median_ns_per_packet",
             "slice_fastest_ns": "fastest_ns_per_packet", "sent": "sent", "received": "received"}
    return {ours: result[theirs] for ours, theirs in names.items()} | more


def start(arm, flows, proto=source.UDP, room=0):
    arm.up(flows + room)
    source.load(INSIDE, source.flows(flows + room, proto))
    source.forget(OUTSIDE)


def warm(arm, flows, proto=source.UDP):
    """A packet each way and again: what counts as established to every arm."""
    if not arm.translates:
        return
    flags = [("tcp", "syn"), ("tcp", "synack"), ("tcp", "ack"), ("tcp", "ack")] if proto == source.TCP else [()] * 4
    for turn, flag in enumerate(flags):
        words = dict([flag] if flag else [])
        if turn % 2 == 0:
            result = source.run(dev=INSIDE, start=0, count=flows, packets=flows, capture=1, **words)
        else:
            result = source.run(dev=OUTSIDE, flows="captured", start=0, count=flows, packets=flows, **words)
        if result["received"] != flows:
            raise Broken(f"warming, turn {turn}: {result['received']} of {flows} packets came out")
    arm.warmed(flows)


def measure(arm, packets, cut=False, **words):
    then = arm.before()
    words = {"dev": INSIDE, "packets": packets, "order": "shuffle"} | arm.words | words
    result = source.run(**words)
    arm.measured(result, then, cut)
    return result
