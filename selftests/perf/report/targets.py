# SPDX-License-Identifier: GPL-2.0
"""The project's targets, each judged if its arms were measured."""

FAST, EARLY, HOOKS, RIVAL, TABLE = "fastnat", "fastnat-early", "fastnat-hooks", "conntrack", "flowtable"

# At least so many times the packets a second of the rival, everything included.
GROSS = [
    ("1", FAST, RIVAL, 1.7), ("1", FAST, TABLE, 1.05), ("1000", FAST, RIVAL, 2.2), ("1000", FAST, TABLE, 1.15),
    ("50000", FAST, RIVAL, 2.5), ("50000", FAST, TABLE, 1.7), ("1000000", FAST, RIVAL, 1.8), ("1000000", FAST, TABLE, 2.5),
    ("1000", HOOKS, RIVAL, 1.35), ("new", FAST, RIVAL, 3), ("new", FAST, TABLE, 3), ("mix", FAST, RIVAL, 2.2), ("mix", FAST, TABLE, 1.3),
    ("50000", EARLY, RIVAL, 2.5), ("50000", EARLY, TABLE, 1.7), ("1000000", EARLY, RIVAL, 2.4), ("1000000", EARLY, TABLE, 3.5),
    ("mix", EARLY, RIVAL, 2.2), ("mix", EARLY, TABLE, 1.3),
]
# The same between rows: of segments merged in different ways.
MERGED = [
    ("gro-16 GRO", FAST, "gro-16 no GRO", FAST, 5), ("gro-16 GRO", FAST, "gro-16 no GRO", RIVAL, 5),
    ("gro-16-both lro 16", FAST, "gro-16-both no GRO", FAST, 5), ("gro-16-both lro 16", FAST, "gro-16-both no GRO", RIVAL, 5),
    ("gro-44-both lro 44", FAST, "gro-44-both no GRO", RIVAL, 5),
    ("gro-16 GRO", FAST, "gro-16 GRO", TABLE, 1.1), ("gro-16-both lro 16", FAST, "gro-16-both GRO", TABLE, 1.1),
    ("udp-gro-16 list", FAST, "udp-gro-16 GRO", FAST, 2), ("udp-gro-16 list, cut by the device", FAST, "udp-gro-16 GRO", FAST, 2),
]
FALLING = [f"gro-{burst}-both lro 44" for burst in (1, 4, 16, 44)]
# At most this part of the rival's time above the null arm.
NET = [("1", FAST, TABLE, 0.8), ("1000", FAST, TABLE, 0.6), ("50000", FAST, TABLE, 0.4), ("50000", EARLY, TABLE, 0.4)]
BYTES, SHARE = 192, 0.5
LOST = 0.20


def verdict(good):
    return "met" if good else "MISSED"


def gross(summary):
    for row, arm, rival, want in GROSS:
        ours, theirs = summary.middle(summary.gross, row, arm), summary.middle(summary.gross, row, rival)
        if ours and theirs:
            yield f"{row}: {arm} against {rival}, gross", f"{theirs / ours:.2f} x", f">= {want} x", theirs / ours >= want


def merged(summary):
    for row, arm, other, rival, want in MERGED:
        for kind, times in summary.gains(row, arm, other, rival):
            yield f"{row}: {arm} against {other}: {rival}, {kind}", f"{times:.2f} x", f">= {want} x", times >= want
    steps = [summary.least(row, FAST) for row in FALLING]
    if None not in steps:
        falls = all(more > fewer for more, fewer in zip(steps, steps[1:]))
        yield "time of a segment in aggregates of 1, 4, 16, 44, both ways", " ".join(f"{step:.0f}" for step in steps), "falling", falls


def net(summary):
    for row, arm, rival, want in NET:
        ours, theirs = summary.middle(summary.net, row, arm), summary.middle(summary.net, row, rival)
        if ours is not None and theirs:
            yield f"{row}: {arm} against {rival}, net time", f"{ours / theirs:.2f}", f"<= {want}", ours / theirs <= want


def policies(summary):
    for case, want in ("established", 1.02), ("new", 1.3):
        few, many = (summary.middle(summary.gross, f"policies {count} {case}", FAST) for count in (1, 100000))
        if few and many:
            yield f"policies 1 to 100,000: {case}, time", f"{many / few:.2f} x", f"<= {want} x", many / few <= want


def memory(summary):
    """In slabs and vmalloc."""
    def taken(arm):
        parts = [summary.middle(summary.bytes, f"memory {what}", arm) for what in ("slab", "vmalloc")]
        return None if None in parts else sum(parts)
    ours, theirs = taken(FAST), taken(RIVAL)
    if ours:
        yield "memory of a flow", f"{ours:.0f} bytes", f"<= {BYTES}", ours <= BYTES
    if ours and theirs:
        yield f"memory of a flow against {RIVAL}", f"{ours / theirs:.2f}", f"<= {SHARE}", ours / theirs <= SHARE


def lost(summary, arm):
    """Of what an established flow gets when every other packet is one that is refused for nothing: a refusal costs at
    least what the null arm does, so the floor of a pair is one packet forwarded and one dropped there."""
    alone = summary.middle(summary.gross, "overload alone", arm)
    flood = summary.middle(summary.gross, "overload flood", arm)
    floor = summary.middle(summary.gross, "overload alone", "null")
    return 1 - (alone + floor) / (2 * flood) if alone and flood and floor else None


def overload(summary):
    part = lost(summary, FAST)
    if part is not None:
        yield "full table and a flood: established throughput lost", f"{part:.0%}", f"<= {LOST:.0%}", part <= LOST


def judge(summary):
    """Rows of (what, measured, wanted, good)."""
    return [row for part in (gross, merged, net, policies, memory, overload) for row in part(summary)]
