#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""One round: every arm once in every scenario. Runs in the guest; lines that begin with @ are for ../run."""
import argparse
import json
import random
import sys
import time
import traceback

import arms
import machine
import scenarios


def words():
    parser = argparse.ArgumentParser()
    parser.add_argument("--round", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--packets", type=int, default=1000000)
    parser.add_argument("--arms", nargs="+", default=list(arms.ARMS))
    parser.add_argument("--scenarios", nargs="+", default=list(scenarios.TABLE))
    return parser.parse_args()


def say(record):
    print("@" + json.dumps(record), flush=True)


def tell(plan, scenario, arm, text):
    print(f"round {plan.round}/{plan.rounds}  {scenario:<12} {arm:<20} {text}", flush=True)


def short(rows):
    parts = []
    for row in rows:
        case = " ".join(str(row[key]) for key in ("policies", "case") if key in row)
        parts.append((case + " " if case else "") + (f"{row['bytes']:.0f} bytes" if "bytes" in row else f"{row['ns']:.0f} ns"))
    return ", ".join(parts) or "-"


def one(plan, scenario, name):
    """Whether the arm did what it should."""
    why = arms.possible(name)
    if why:
        say({"round": plan.round, "scenario": scenario, "arm": name, "skipped": why})
        tell(plan, scenario, name, "skipped: " + why)
        return True
    arm, begun = arms.make(name), time.monotonic()
    try:
        rows = scenarios.TABLE[scenario][0](arm, plan)
        for row in rows:
            say({"round": plan.round, "scenario": scenario, "arm": name} | row)
        tell(plan, scenario, name, f"{short(rows)}  ({time.monotonic() - begun:.0f} s)")
        return True
    except (machine.Broken, OSError, KeyError, ValueError) as error:
        if not isinstance(error, machine.Broken):
            traceback.print_exc()
        say({"round": plan.round, "scenario": scenario, "arm": name, "error": str(error)})
        tell(plan, scenario, name, f"FAILED: {error}")
        return False
    finally:
        try:
            arm.down()
        except machine.Broken as error:
            # The next arm would measure this one, too.
            sys.exit(f"{name}: {error}")


def main():
    plan = words()
    for kind, known in ("arm", arms.ARMS), ("scenario", scenarios.TABLE):
        for name in getattr(plan, kind + "s"):
            if name not in known:
                sys.exit(f"no {kind} {name}; there are: {' '.join(known)}")
    machine.gateway()
    # 1.7 kB a flow: both tables of the hungriest arm, and what the instrument itself writes down.
    machine.touch_memory(min(1600, max(scenarios.TABLE[name][1] for name in plan.scenarios) // 600))
    good = True
    for scenario in plan.scenarios:
        # Another order in each round: what the one before left behind is not always the same.
        order = random.Random(f"{plan.round} {scenario}").sample(plan.arms, len(plan.arms))
        for name in order:
            good = one(plan, scenario, name) and good
    sys.exit(0 if good else 1)


main()
