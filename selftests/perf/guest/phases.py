# SPDX-License-Identifier: GPL-2.0
"""The steps that scenarios are made of: a gateway with flow arrays, flows warmed, a run, its row of the results."""
import source
from machine import INSIDE, OUTSIDE, Broken


def row(result, kind="established", **more):
    """Of new flows, growing tables are part of the price; of established ones the median of a run's slices tells
    what a packet costs when nothing interrupts it."""
    mean, median = result["ns_per_packet"], result["median_ns_per_packet"]
    return {"ns": median if kind == "established" else mean, "mean_ns": mean, "median_ns": median,
            "fastest_ns": result["fastest_ns_per_packet"], "sent": result["sent"], "received": result["received"]} | more


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


def measure(arm, packets, **words):
    then = arm.before()
    words = {"dev": INSIDE, "packets": packets, "order": "shuffle"} | arm.words | words
    result = source.run(**words)
    arm.measured(result, then)
    return result
