#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes results.json, table.txt and plots of a benchmark, and prints the table."""
import argparse
import datetime
import json
import os
import re

import plot
import summary
import table
import targets


def cpu():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found[1] if found else "unknown"


def main():
    parser = argparse.ArgumentParser()
    for name in "records", "out", "release", "commit", "memory":
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--metric", default="ns")
    parser.add_argument("--clock", default="time")
    words = parser.parse_args()
    result = summary.Summary(summary.load(words.records), words.metric)
    about = {
        "kernel": words.release, "commit": words.commit, "cpu": f"{cpu()}, {os.cpu_count()} on the machine, one used",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "metric": words.metric, "clock": words.clock, "memory": "4 kB pages" if words.memory == "/dev/shm" else "huge pages if the machine had them",
    }
    os.makedirs(words.out, exist_ok=True)
    text = table.text(result, about)
    judged = [{"target": what, "measured": measured, "wanted": wanted, "met": good} for what, measured, wanted, good in targets.judge(result)]
    files = plot.plots(result) | {"table.txt": text, "results.json": json.dumps(
        about | {"limits": table.limits(words.clock), "summary": result.as_json(), "targets": judged, "records": result.records}, indent=1) + "\n"}
    for name, content in files.items():
        with open(os.path.join(words.out, name), "w", encoding="utf-8") as file:
            file.write(content)
    print("\n" + text)
    print("written to " + words.out + ": " + " ".join(sorted(files)))


main()
