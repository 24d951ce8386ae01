#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares what exact_guest.sh counted with a budget, and prints KTAP. See exact.sh."""

import argparse
import collections
import json
import sys

from exact_profile import Profile

# What may be more than the budget: a share, and instructions. Allocators are not quite the same each time, nor are
# the chains of hash tables whose seeds are random.
TOLERANCE = collections.defaultdict(lambda: (0.02, 1), {"poll": (0.04, 0), "hash_lookup": (0.02, 8)})
PARTS = ("hash", "lookup", "parse", "rewrite", "route", "rest", "kernel", "bench")


def read(path):
    """Counts by arm and what was measured; the ways of single packets; arms that were left out, and why."""
    counts, ways, skipped, done = collections.defaultdict(dict), collections.defaultdict(list), {}, False
    with open(path, encoding="utf-8") as file:
        for line in file:
            kind, *words = line.split() or [""]
            if kind == "exact" and words == ["done"]:
                done = True
            elif kind == "exact":
                counts[words[0]][" ".join(words[1:4])] = round(float(words[4]), 1)
            elif kind == "step":
                ways[tuple(words[:3])].append(" ".join(words[3:]))
            elif kind == "skip":
                skipped[words[0]] = " ".join(words[1:])
    return counts, ways, skipped, done


def add_parts(counts, ways, profile):
    """Of fastnat's own arms, also what hash and lookup take."""
    for (arm, proto, way), steps in ways.items():
        if arm.startswith("fastnat"):
            parts = profile.parts(steps)
            counts[arm][f"{proto} {way} hash_lookup"] = parts["hash"] + parts["lookup"]


def judge(got, budget):
    """Lines about one arm, and whether it kept to its budget."""
    good, lines = True, []
    for name in sorted(got.keys() | budget.keys()):
        have, want = got.get(name), budget.get(name)
        if want is None:
            lines.append(f"{name}: {have}, no budget yet")
        elif have is None:
            good = False
            lines.append(f"{name}: not measured, budget {want}")
        else:
            change = (have - want) / want if want else 0
            share, slack = TOLERANCE[name.split()[-1]]
            late = have > want * (1 + share) + slack
            good = good and not late
            word = " TOO MUCH" if late else " better: --update" if have < want * (1 - share) - slack else ""
            lines.append(f"{name}: {have}, budget {want}, {change:+.1%}{word}")
    return good, lines


def show_parts(ways, profile):
    """A line a way of fastnat: where its instructions are, from our hook to transmission."""
    for key, steps in ways.items():
        if key[0].startswith("fastnat"):
            parts = profile.parts(steps)
            print("# way " + " ".join(key) + ": " + ", ".join(f"{p} {parts[p]}" for p in PARTS if parts[p]))


def show_profile(ways, profile):
    for key, steps in ways.items():
        if key[0].startswith("fastnat") and key[1:] == ("udp", "out"):
            print("# profile " + " ".join(key))
            for (part, name), count in profile.places(steps):
                print(f"# {count:5} {part:8} {name}")


def read_budget(path, kernel):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {"kernel": kernel, "instructions": {}}


def update(path, budget, kernel, counts):
    budget["kernel"] = kernel
    budget["instructions"].update({arm: dict(sorted(got.items())) for arm, got in counts.items()})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(budget, file, indent=1, sort_keys=True)
        file.write("\n")


def judge_arms(arms, counts, skipped, budget):
    """A test an arm; whether one failed."""
    failed = False
    print(f"1..{len(arms)}")
    for number, arm in enumerate(arms, 1):
        if arm in skipped and arm not in counts:
            print(f"ok {number} instructions of {arm} # SKIP {skipped[arm]}")
            continue
        good, lines = judge(counts.get(arm, {}), budget.get(arm, {}))
        failed = failed or not good
        for line in lines + ([skipped[arm]] if arm in skipped else []):
            print("# " + line)
        print(("ok" if good else "not ok") + f" {number} instructions of {arm}")
    return failed


def arguments():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--budget", required=True)
    options.add_argument("--kernel", required=True, help="release of the kernel that was measured")
    options.add_argument("--module", required=True, help="the fastnat.ko that was measured")
    options.add_argument("--all", action="store_true", help="every arm of the budget has to be there")
    options.add_argument("--update", action="store_true")
    options.add_argument("--profile", action="store_true")
    options.add_argument("output")
    return options.parse_args()


def main():
    args = arguments()
    counts, ways, skipped, done = read(args.output)
    print("KTAP version 1")
    if not done:
        print("1..1\nnot ok 1 the guest went to the end")
        return 1
    profile = Profile(args.module, ways)
    add_parts(counts, ways, profile)
    budget = read_budget(args.budget, args.kernel)
    if args.update:
        update(args.budget, budget, args.kernel, counts)
    if budget["kernel"] != args.kernel:
        print(f"1..0 # SKIP the budget is for {budget['kernel']}, this is {args.kernel}")
        return 0
    known = budget["instructions"].keys() if args.all else set()
    failed = judge_arms(sorted(counts.keys() | skipped.keys() | known), counts, skipped, budget["instructions"])
    show_parts(ways, profile)
    if args.profile:
        show_profile(ways, profile)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
