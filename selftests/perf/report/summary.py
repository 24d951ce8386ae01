# SPDX-License-Identifier: GPL-2.0
"""From records, one for each round, to one number with its spread for each arm and scenario."""
import json
import statistics
from collections import defaultdict

ARMS = ("null", "forward", "conntrack", "conntrack-iptables", "flowtable", "fastnat-hooks", "fastnat", "fastnat-early", "fastnat-conntrack")


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


class Summary:
    """Medians and spreads by row and arm; net is what is above the null arm of the same round and row."""

    def __init__(self, records, metric="ns"):
        self.records = records
        self.troubles = [record for record in records if "error" in record or "skipped" in record]
        gross, bytes_ = defaultdict(list), defaultdict(list)
        floor = {(record["round"], name(record)): record[metric] for record in records if record["arm"] == "null" and metric in record}
        net = defaultdict(list)
        for record in records:
            key = name(record), record["arm"]
            if "bytes" in record:
                bytes_[key].append(record["bytes"])
            elif metric in record:
                gross[key].append(record[metric])
                if (record["round"], key[0]) in floor:
                    net[key].append(record[metric] - floor[record["round"], key[0]])
        self.gross, self.net, self.bytes = ({key: spread(values) for key, values in table.items()} for table in (gross, net, bytes_))
        seen = {record["arm"] for record in records}
        self.arms = [arm for arm in ARMS if arm in seen]

    def rows(self, table):
        return list(dict.fromkeys(row for row, _ in table))

    def middle(self, table, row, arm):
        return table[row, arm]["median"] if (row, arm) in table else None

    def field(self, row, arm, what):
        """Of another number of the records."""
        values = [record[what] for record in self.records if name(record) == row and record["arm"] == arm and what in record]
        return statistics.median(values) if values else None

    def as_json(self):
        def flat(table):
            return [{"row": row, "arm": arm} | values for (row, arm), values in table.items()]
        return {"gross_ns": flat(self.gross), "net_ns": flat(self.net), "bytes": flat(self.bytes)}
