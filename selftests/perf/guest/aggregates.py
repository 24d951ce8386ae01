# SPDX-License-Identifier: GPL-2.0
"""Packets of a flow in a row, as bulk traffic arrives: what merging them before they are forwarded is worth.

Rows are of a segment or datagram. A row's case is the way to merge; "source" is what making and freeing it costs.
Ways take turns, so that a machine that is now fast, now slow is so for all of them.
"""
from functools import partial

import merging
import source
from machine import INSIDE, OUTSIDE
from phases import measure, row, start, warm

FLOWS, TURNS, POLL = 1024, 3, 64
BURSTS, OTHERS = (1, 4, 16, 44), (8, 64)
# Frames of a full segment with timestamps (1448 octets) and of a datagram as QUIC sends them (1200).
SEGMENT = {"len": 1514, "timestamps": 1, "frag": 1}
DATAGRAM = {"len": 1242, "frag": 1}
# Each segment acknowledges another one, has another window and another time.
BOTH = {"acks": 1448, "windows": 1, "stamps": 1}


def begin(arm, proto, both):
    """Established flows; the words of a run in one direction or both."""
    start(arm, FLOWS, proto)
    warm(arm, FLOWS, proto)
    if not both:
        return {"dev": INSIDE}
    if arm.name == "null":
        source.load(OUTSIDE, source.flows(FLOWS, proto))
        return {"dev": "both"}
    if not arm.translates:
        source.run(dev=INSIDE, packets=FLOWS, capture=1)
    return {"dev": "both", "flows": "captured"}


def rounds():
    return TURNS if source.is_timed() else 1


def turns(arm, plan, ways, words):
    """Each way in turn, and that several times."""
    rows = []
    for _ in range(rounds()):
        if arm.name == "null":
            rows.append(row(source.run(packets=plan.packets, order="shuffle", rx="none", **words), case="source"))
        for name, switch in ways.items():
            switch()
            cut = name == merging.CUT
            result = measure(arm, plan.packets, cut=cut, start=0, count=FLOWS, **words)
            more = {} if cut or not result["frames"] else {"segments": result["received"] / result["frames"]}
            rows.append(row(result, case=name, **more))
    return rows


def scenario(arm, plan, proto, ways, both=False, burst=1, **words):
    direction = begin(arm, proto, both)
    # Whole bursts in each poll.
    batch = POLL // burst * burst
    with ways(arm) as possible:
        return turns(arm, plan, possible, direction | {"burst": burst, "batch": batch} | (BOTH if both else {}) | words)


def acks(arm, plan):
    """Segments without data beside segments with it: one each of many flows, and sixteen of a flow in a row."""
    direction = begin(arm, source.TCP, False)
    merging.stock()
    rows = []
    for _ in range(rounds()):
        for burst in 1, 16:
            for name, words in ("ACK", {"data": 0, "timestamps": 1, "acks": 2896}), ("data", SEGMENT):
                result = measure(arm, plan.packets, start=0, count=FLOWS, burst=burst, **(direction | words))
                rows.append(row(result, case=f"{name}, {burst} in a row"))
    return rows


def table():
    tcp = partial(scenario, proto=source.TCP, ways=merging.tcp, **SEGMENT)
    shapes = {f"gro-{burst}": {"burst": burst} for burst in BURSTS}
    for flows in OTHERS:
        shapes |= {f"gro-16-of-{flows}": {"burst": 16, "interleave": flows},
                   f"gro-16-of-{flows}-unhashed": {"burst": 16, "interleave": flows, "hash": 0}}
    found = {name: partial(tcp, **words) for name, words in shapes.items()}
    found |= {f"{name}-both": partial(tcp, both=True, **words) for name, words in shapes.items()}
    found |= {f"udp-gro-{burst}": partial(scenario, proto=source.UDP, ways=merging.udp, burst=burst, **DATAGRAM) for burst in (1, 16, 64)}
    return found | {"acks": acks}
