# SPDX-License-Identifier: GPL-2.0
"""The results as text."""
from targets import judge, lost, verdict

LIMITS = """\
What this instrument cannot say:
  * One CPU and no NUMA: nothing about scaling. Spinlocks are compiled away, and atomic operations do not meet other
    CPUs: that favours what locks and counts references, connection tracking above all.
  * A kernel of its own configuration, without retpolines: indirect calls (hooks, rules) are cheaper than on a stock
    kernel. That favours connection tracking and the flow table.
  * No NIC, no DMA: the packets' data is in the cache when the kernel gets it. Times are for 60-byte frames unless said
    otherwise, out of bench0, forwarded to bench1.
  * It runs beside whatever else the machine does. Compare figures of one run only; arms take turns within it."""

UNITS = {"time": "Nanoseconds", "instructions": "Instructions"}
LIMITS_COUNTED = """\
What counts of instructions cannot say: what waits for memory, mispredicted branches, other CPUs; a repeated string
instruction counts as often as it repeats."""


def limits(clock):
    return LIMITS if clock == "time" else LIMITS_COUNTED


def cell(values):
    if not values:
        return "-"
    if values["rounds"] == 1:
        return f"{values['median']:.0f}"
    return f"{values['median']:.0f} [{values['min']:.0f}-{values['max']:.0f}]"


def grid(title, head, rows):
    widths = [max(len(str(line[column])) for line in [head] + rows) for column in range(len(head))]
    lines = [title]
    for line in [head] + rows:
        lines.append("  " + "  ".join(str(text).ljust(width) if column == 0 else str(text).rjust(width)
                                      for column, (text, width) in enumerate(zip(line, widths))).rstrip())
    return "\n".join(lines)


def section(summary, title, table):
    arms = [arm for arm in summary.arms if any(key[1] == arm for key in table)]
    rows = [[row] + [cell(table.get((row, arm))) for arm in arms] for row in summary.rows(table)]
    return grid(title, [""] + arms, rows) if rows else ""


def memory(summary):
    return section(summary, "Memory of a flow, both directions, buckets included: bytes", summary.bytes)


def merged(summary):
    """Of each way to merge: segments an aggregate, and how many times less than without merging it takes."""
    rows = []
    for scenario, cases in summary.merged.items():
        for case in cases:
            row, plain = f"{scenario} {case}", f"{scenario} no GRO"
            rows.append([row] + [gain(summary, row, plain, arm) for arm in summary.arms if arm != "null"])
    return grid("Merged before they are forwarded: segments an aggregate; so many times less than without merging: gross, net, above null",
                [""] + [arm for arm in summary.arms if arm != "null"], rows) if rows else ""


def gain(summary, row, plain, arm):
    segments, gains = summary.field(row, arm, "segments"), dict(summary.gains(row, arm, plain, arm))
    parts = [f"{gains[kind]:.2f}" if kind in gains else "-" for kind in ("gross", "net", "above null")]
    return f"{segments:.1f}; " + " ".join(parts) if segments else "-"


def overload(summary):
    rows = []
    for arm in summary.arms:
        part = lost(summary, arm)
        sent, got = (summary.field("overload after", arm, what) for what in ("sent", "received"))
        if part is not None and sent and arm != "null":
            flood, offered = (summary.field("overload flood", arm, what) for what in ("received", "sent"))
            rows.append([arm, f"{part:.0%}", f"{flood / offered:.0%}", f"{got / sent:.0%}"])
    head = ["", "throughput lost", "forwarded of all", "established flows alive after"]
    return grid("A full table and a flood, one packet in two", head, rows) if rows else ""


def targets(summary):
    rows = [[what, measured, wanted, verdict(good)] for what, measured, wanted, good in judge(summary)]
    return grid("Targets", ["", "measured", "wanted", ""], rows) if rows else ""


def troubles(summary):
    lines = {}
    for record in summary.troubles:
        why = record.get("error", "").splitlines() or ["skipped, " + record.get("skipped", "")]
        lines[f"  {record['arm']}, {record['scenario']}: {why[0]}"] = None
    return "\n".join(["Not measured"] + list(lines)) if lines else ""


def text(summary, about):
    head = "\n".join(f"{name:<8} {value}" for name, value in about.items())
    unit = UNITS[about["clock"]]
    parts = [head, section(summary, unit + " a packet, gross: median of the rounds [least-most]", summary.gross),
             section(summary, unit + " a packet, net of the null arm (rows with a source: of that) of the same round", summary.net),
             merged(summary), memory(summary), overload(summary), targets(summary), troubles(summary), limits(about["clock"])]
    return "\n\n".join(part for part in parts if part) + "\n"
