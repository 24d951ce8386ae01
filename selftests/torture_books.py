# SPDX-License-Identifier: GPL-2.0
"""What has to hold at a gateway once nobody changes anything, as netlink tells it; for torture.py."""
import socket
import struct
import time
from collections import Counter

from torture_net import SLOW, Wrong, readable, udp
from torture_netlink import enter
from torture_traffic import SERVERS, TWICE, inet, quietly

LISTS = ["flow-get", "binding-get", "policy-get", "pool-get", "table-get"]
TOTALS = {"flows": "flows", "bindings": "bindings", "translated": "translated", "flows-created": "flows-created", "remote-hits": "remote-hits"}


def end(entry, name):
    return entry[f"{name}-addr"], entry[f"{name}-port"]


class Books:
    """All lists and counters of one moment."""

    def __init__(self, gateway, local=False):
        self.stats, self.lists, self.local = None, {}, local
        deadline = time.monotonic() + 60 * SLOW
        while not self.take(gateway):
            # Flows may still expire, and tables move.
            if time.monotonic() > deadline:
                raise Wrong("it does not come to rest")
            time.sleep(0.2)

    def take(self, gateway):
        before, = gateway.must("stats-get")
        for op in LISTS:
            answer = gateway.genl.ask(op, dump=True)
            if answer.code:
                raise Wrong(f"{op}: error {answer.code} {answer.words}")
            if answer.flags:  # not of one piece
                return False
            self.lists[op] = answer.entries
        self.stats, = gateway.must("stats-get")
        changes = ("flows-created", "flows-expired", "flows-flushed", "bindings-created", "bindings-ended", "resizes")
        return all(before[name] == self.stats[name] for name in changes) and not any("resizing" in table for table in self.lists["table-get"])

    def errors(self):
        for check in (self.counters, self.nodes, self.tables, self.flows, self.bindings, self.policies, self.pools):
            yield from check()

    def counters(self):
        stats = self.stats
        for what, gone in (("flows", ("flows-expired", "flows-flushed")), ("bindings", ("bindings-ended",))):
            left = stats[f"{what}-created"] - sum(stats[name] for name in gone)
            if left != stats[what]:
                yield f"{what}: created less gone is {left}, not {stats[what]}"
            listed = len(self.lists[f"{what[:-1]}-get"])
            if listed != stats[what]:
                yield f"{what}: {listed} in the list, {stats[what]} by the counter"

    def nodes(self):
        for part, whole in TOTALS.items():
            values = [node.get(part) for node in self.stats["node"]]
            if None not in values and sum(values) != self.stats[whole]:
                yield f"{whole}: the nodes have {values}, all together {self.stats[whole]}"

    def tables(self):
        """A chain of eight and more is counted as one, so its entries are known within bounds only."""
        entries = Counter()
        for table in self.lists["table-get"]:
            chains, what = table["chain"], f"table of {table['kind']}, node {table['node']}"
            entries[table["kind"]] += table["entries"]
            if sum(chains) != table["buckets"]:
                yield f"{what}: chains {chains} are not those of {table['buckets']} buckets"
            least = sum(length * count for length, count in enumerate(chains))
            most = least + chains[8] * max(table["longest"] - 8, 0)
            if not least <= table["entries"] <= most:
                yield f"{what}: {table['entries']} entries, but chains of {chains}"
            if not table["longest"] >= max((length for length, count in enumerate(chains) if count), default=0):
                yield f"{what}: the longest chain has {table['longest']}, of {chains}"
        for what in ("flows", "bindings"):
            if self.lists["table-get"] and entries[what] != 2 * self.stats[what]:
                yield f"{entries[what]} entries of {self.stats[what]} {what}"

    def flows(self):
        """A tuple has one flow (in numa mode local one on each node).
        A flow that changes the source lives by a binding; so does one that changes the destination, unless its policy does."""
        known = {(b["proto"], end(b, "inside"), end(b, "outside")) for b in self.lists["binding-get"]}
        policies = {policy["id"]: policy for policy in self.lists["policy-get"]}
        used, tuples = Counter(), Counter()
        for flow in self.lists["flow-get"]:
            orig, to = flow["orig"], flow["translated"]
            node = flow["node"] if self.local else "any"
            tuples[flow["proto"], end(orig, "src"), end(orig, "dst"), node] += 1
            tuples[flow["proto"], end(to, "dst"), end(to, "src"), node] += 1
            policy = policies.get(flow["policy"])
            if not policy:
                yield f"a flow of no policy: {flow}"
                continue
            if end(orig, "src") != end(to, "src"):
                key = flow["proto"], end(orig, "src"), end(to, "src")
            elif policy["action"] == "dnat":
                continue
            else:
                key = flow["proto"], end(to, "dst"), end(orig, "dst")
            used[key] += 1
            if key not in known:
                yield f"a flow without a binding: {flow}"
        yield from (f"{count} flows of one tuple {key}" for key, count in tuples.items() if count > 1)
        self.used = used

    def bindings(self):
        outside, inside = Counter(), Counter()
        for binding in self.lists["binding-get"]:
            outside[binding["proto"], end(binding, "outside")] += 1
            key = binding["proto"], end(binding, "inside"), end(binding, "outside")
            inside[key] += 1
            if binding["flows"] != self.used[key]:
                yield f"{self.used[key]} flows hold {binding}"
            if not binding["flows"] and "static" not in binding:
                yield f"nothing holds {binding}"
        yield from (f"{count} bindings of one outside endpoint {key}" for key, count in outside.items() if count > 1)

    def policies(self):
        flows = Counter(flow["policy"] for flow in self.lists["flow-get"])
        for policy in self.lists["policy-get"]:
            if policy["flows"] != flows[policy["id"]]:
                yield f"{flows[policy['id']]} flows are listed of {policy}"

    def pools(self):
        users = Counter(policy.get("pool") for policy in self.lists["policy-get"])
        for pool in self.lists["pool-get"]:
            if pool["policies"] != users[pool["name"]]:
                yield f"{users[pool['name']]} policies are listed of {pool}"


def by_inside(books, gateway):
    """A second binding for the same inside is refused. If its policy was deleted while flows of another held a binding,
    the id may be that of a new one, so only those are asked about that belong to the policy of today."""
    alive = {(flow["policy"], flow["proto"], end(flow["orig"], "src"), end(flow["translated"], "src")) for flow in books.lists["flow-get"]}
    for binding in books.lists["binding-get"][:300]:
        if "static" in binding or (binding["policy"], binding["proto"], end(binding, "inside"), end(binding, "outside")) in alive:
            keys = ("policy", "proto", "inside-addr", "inside-port", "outside-addr", "outside-port")
            if gateway.ask("binding-add", {name: binding[name] for name in keys}, {"EEXIST"}) is not None:
                yield f"not found by its inside: {binding}"


def by_outside(books, client, server):
    """What a server sends to the outside arrives at the inside. (While the gateway had no address outside, what
    servers sent there went back to them, translated: nobody waits for that.)"""
    enter(client)
    back = inet(socket.SOCK_RAW, proto=socket.IPPROTO_UDP)
    back.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
    enter(server)
    knock = inet(socket.SOCK_RAW, proto=socket.IPPROTO_RAW)
    bindings = [binding for binding in books.lists["binding-get"] if binding["proto"] == 17
                and end(binding, "outside") != ("192.0.2.1", TWICE) and binding["inside-addr"].startswith("10.0.0.")]
    wanted = {(end(binding, "inside"), b"%s:%d" % (end(binding, "outside")[0].encode(), end(binding, "outside")[1])): binding for binding in bindings[:300]}
    for _ in range(3):
        for _, text in wanted:
            dst, port = text.decode().split(":")
            quietly(knock.sendto, udp(SERVERS[2], 7777, dst, int(port), text), (dst, 0))
        while wanted and readable([back], 1.5 * SLOW):
            packet = back.recv(4096)
            sport, dport = struct.unpack("!HH", packet[20:24])
            if sport == 7777:
                wanted.pop(((socket.inet_ntoa(packet[16:20]), dport), packet[28:]), None)
    if wanted:
        yield f"{len(wanted)} bindings are not found by their outside, one is {next(iter(wanted.values()))}"


def emptied(gateway, local):
    """After a full flush there are the bindings that were added by request, after these are deleted none."""
    gateway.must("flow-flush")
    books = Books(gateway, local)
    yield from books.errors()
    if books.stats["flows"]:
        yield f"{books.stats['flows']} flows after all were flushed"
    for binding in books.lists["binding-get"]:
        if "static" not in binding:
            yield f"an orphan: {binding}"
        else:
            gateway.ask("binding-del", {name: binding[name] for name in ("proto", "outside-addr", "outside-port")}, {"ENOENT"})
    books = Books(gateway, local)
    yield from books.errors()
    if books.stats["bindings"]:
        yield f"{books.stats['bindings']} bindings after all were deleted: {books.lists['binding-get'][:3]}"
