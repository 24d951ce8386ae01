# SPDX-License-Identifier: GPL-2.0
"""From records, one for each round, to one number with its spread for each arm and scenario."""
import json
import statistics
from collections import defaultdict

ARMS = ("null", "forward", "conntrack", "conntrack-iptables", "flowtable", "fastnat-hooks", "fastnat", "fastnat-early", "fastnat-conntrack")

# The case of a row that says what making and freeing packets takes.
SOURCE = "source"


def name(record):
    """The row of the table: the scenario, with the case and the number of policies if it has several."""
    more = [str(record[key]) for key in ("policies", "case") if key in record]
    return " ".join([record["scenario"]] + more)


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def spread(values):
    low, high = min(values), max(values)
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [low, low, low]
    return {"rounds": len(values), "median": statistics.median(values), "min": low, "max": high,
            "q1": quartiles[0], "q3": quartiles[2]}


def floors(records, metric):
    """Of each round and row, what the null arm took; the least if it was measured several times."""
    found = {}
    for record in records:
        if record["arm"] == "null" and metric in record:
            key = record["round"], name(record)
            found[key] = min(record[metric], found.get(key, record[metric]))
    return found


class Summary:
    """Medians and spreads by row and arm; net is what is above the null arm of the same round and row, or above
    making and freeing packets where that was measured by itself."""

    def __init__(self, records, metric="ns"):
        self.records = records
        self.troubles = [record for record in records if "error" in record or "skipped" in record]
        gross, bytes_ = defaultdict(list), defaultdict(list)
        floor = floors(records, metric)
        net = defaultdict(list)
        for record in records:
            key = name(record), record["arm"]
            if "bytes" in record:
                bytes_[key].append(record["bytes"])
            elif metric in record:
                gross[key].append(record[metric])
                below = floor.get((record["round"], record["scenario"] + " " + SOURCE), floor.get((record["round"], key[0])))
                if below is not None:
                    net[key].append(record[metric] - below)
        self.gross, self.net, self.bytes = ({key: spread(values) for key, values in table.items()} for table in (gross, net, bytes_))
        seen = {record["arm"] for record in records}
        self.arms = [arm for arm in ARMS if arm in seen]
        # Rows of ways to merge packets, by scenario.
        self.merged = defaultdict(list)
        for record in records:
            if "segments" in record and record["case"] not in self.merged[record["scenario"]]:
                self.merged[record["scenario"]].append(record["case"])

    def rows(self, table):
        return list(dict.fromkeys(row for row, _ in table))

    def middle(self, table, row, arm):
        return table[row, arm]["median"] if (row, arm) in table else None

    def least(self, row, arm, kind="gross"):
        """The least, of rows that are measured in turns: of a fast moment, on a machine that has slow ones. net: above
        making and freeing packets; above null: what comes after receiving them, of which merging leaves less."""
        below = {"gross": None, "net": row.split()[0] + " " + SOURCE, "above null": row}[kind]
        if (row, arm) not in self.gross or (below and (below, "null") not in self.gross):
            return None
        return self.gross[row, arm]["min"] - (self.gross[below, "null"]["min"] if below else 0)

    def gains(self, row, arm, other, rival):
        """How many times less than another row of another arm it takes, by kind."""
        for kind in "gross", "net", "above null":
            ours, theirs = self.least(row, arm, kind), self.least(other, rival, kind)
            if ours and theirs and ours > 0:
                yield kind, theirs / ours

    def field(self, row, arm, what):
        """Of another number of the records."""
        values = [record[what] for record in self.records if name(record) == row and record["arm"] == arm and what in record]
        return statistics.median(values) if values else None

    def as_json(self):
        def flat(table):
            return [{"row": row, "arm": arm} | values for (row, arm), values in table.items()]
        return {"gross_ns": flat(self.gross), "net_ns": flat(self.net), "bytes": flat(self.bytes)}
