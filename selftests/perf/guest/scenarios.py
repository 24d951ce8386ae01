# SPDX-License-Identifier: GPL-2.0
"""What is measured of each arm. A scenario returns rows: what it is of, and nanoseconds a packet or bytes a flow."""
from functools import partial

import aggregates
import machine
import pktgen
import policies
import source
from machine import INSIDE, OUTSIDE, Broken
from phases import measure, row, start, warm

SIZES = (1, 1000, 50000, 1000000)
NEW_FLOWS = 200000
MIX_FLOWS = 50000
MEMORY_FLOWS = 1000000
BOTH = (1000, 50000)


def established(arm, plan, flows, proto=source.UDP):
    start(arm, flows, proto)
    warm(arm, flows, proto)
    count = max(plan.packets, flows)
    measure(arm, min(count, 100000), start=0, count=flows)
    return [row(measure(arm, count, start=0, count=flows))]


def both_ways(arm, plan, flows):
    """Answers come back as often as packets go out."""
    if arm.name == "null" or not arm.translates:
        return []
    start(arm, flows)
    warm(arm, flows)
    return [row(measure(arm, plan.packets, dev="both", flows="captured", start=0, count=flows))]


def new(arm, plan):
    """Each packet is the first of a flow."""
    start(arm, NEW_FLOWS)
    arm_words = {"dev": INSIDE, "packets": NEW_FLOWS, "order": "shuffle"} | arm.words
    result = source.run(**arm_words)
    if arm.name != "null" and result["received"] != NEW_FLOWS:
        raise Broken(f"{result['received']} of {NEW_FLOWS} first packets came out")
    return [row(result)]


def mix(arm, plan):
    """Nineteen packets of established flows, then one of a new flow."""
    fresh = plan.packets // 20 + 1
    start(arm, MIX_FLOWS, room=fresh)
    warm(arm, MIX_FLOWS)
    words = {"dev": INSIDE, "packets": plan.packets, "order": "shuffle"} | arm.words
    result = source.run(start=0, count=MIX_FLOWS, fresh_every=20, fresh_from=MIX_FLOWS, **words)
    if arm.name != "null" and result["received"] != result["sent"]:
        raise Broken(f"{result['received']} of {result['sent']} packets came out")
    return [row(result)]


def memory(arm, plan):
    """What a flow takes with both its directions, buckets included: against the time before the arm was there."""
    if not arm.translates or plan.round > 1:
        return []
    arm.down()
    source.load(INSIDE, source.flows(MEMORY_FLOWS))
    source.forget(OUTSIDE)
    # The captures are memory of the instrument, and had better be there before.
    source.run(dev=INSIDE, packets=MEMORY_FLOWS, capture=1)
    before = machine.used()
    arm.up(MEMORY_FLOWS)
    warm(arm, MEMORY_FLOWS)
    after = machine.used()
    return [{"case": what, "bytes": (after[what] - before[what]) * 1024 / MEMORY_FLOWS} for what in before]


def overload(arm, plan):
    """Established flows while the table is full and every other packet is of a new flow."""
    flows, packets = MIX_FLOWS, plan.packets // 2
    start(arm, flows, room=packets)
    warm(arm, flows)
    alone = measure(arm, packets, start=0, count=flows)
    rows = [row(alone, case="alone")]
    if arm.translates:
        fill(arm, flows)
    words = {"dev": INSIDE, "packets": packets, "order": "shuffle"} | arm.words
    result = source.run(start=0, count=flows, fresh_every=2, fresh_from=flows, **words)
    delivered = alone_again(arm, flows)
    return rows + [row(result, case="flood"), delivered]


def fill(arm, flows):
    """The limit falls to what is there."""
    if arm.name.startswith("fastnat"):
        machine.sh("fastnat", "config", "set", "--max-flows", str(flows))
    else:
        machine.sysctl("net.netfilter.nf_conntrack_max", flows)


def alone_again(arm, flows):
    """How many of the established flows still forward after the flood, without becoming new ones."""
    result = source.run(**({"dev": INSIDE, "packets": flows, "start": 0, "count": flows} | arm.words))
    return row(result, case="after")


# All scenarios by name, and for how many flows each needs memory.
TABLE = {str(size): (partial(established, flows=size), size) for size in SIZES}
TABLE["tcp"] = (partial(established, flows=1000, proto=source.TCP), 1000)
TABLE |= {f"both-{size}": (partial(both_ways, flows=size), size) for size in BOTH}
TABLE |= {"new": (new, NEW_FLOWS), "mix": (mix, 2 * MIX_FLOWS), "overload": (overload, 500000)}
TABLE |= {"policies": (policies.scenario, 200000), "memory": (memory, 0)}
TABLE |= {name: (function, 1000) for name, function in aggregates.table().items()}
TABLE["pktgen"] = (pktgen.scenario, 1000)
