# SPDX-License-Identifier: GPL-2.0
"""Those who change and read things while the traffic of torture.py flows."""
import errno
import os
import random
import socket
import struct
import subprocess
import time

from torture_net import Gateway, Wrong, readable
from torture_netlink import ERROR, Genl, enter, messages
from torture_traffic import HOSTS, SERVERS, quietly

POOLS = ["red", "green", "blue"]
OTHERS = range(20, 40)  # ids of policies that come and go
CPUS = "/sys/devices/system/cpu"


class Meddler:
    """Does one thing or another. At the steady gateway everything has to leave 10.0.0.2 alone."""

    def __init__(self, spec, steady):
        self.gateway, self.steady, self.dice = Gateway(spec), steady, random.Random()
        self.half, self.nodes, self.said = [], None, {}
        self.things = [self.policy_add, self.policy_add, self.policy_del, self.policy_del, self.pool_add, self.pool_del,
                       self.flush_policy, self.buckets, self.automatic, self.timeouts, self.modes, self.offload,
                       self.binding_add, self.binding_add, self.binding_del, self.read, self.read, self.read_half] * 4
        # Seldom, or there would hardly be any flows.
        self.things += [self.flush_proto, self.limits, self.address]
        if not steady:
            self.things += [self.flush_all, self.base, self.base]

    def once(self):
        self.dice.choice(self.things)()

    def ask(self, op, values=None, may=()):
        return self.gateway.ask(op, values, may)

    def base(self):
        """What makes the wild gateway one, after somebody has taken it away."""
        self.ask("policy-add", {"id": 1, "action": "masquerade", "out-iface": "wan0", "priority": 2000}, {"EEXIST"})
        self.ask("policy-add", {"id": 2, "action": "dnat", "dst-addr": "192.0.2.1", "proto": 17, "dst-port-min": 8053,
                                "to-addr": HOSTS[6], "to-port-min": 53}, {"EEXIST"})
        self.ask("policy-add", {"id": 3, "action": "dnat", "dst-addr": "192.0.2.1", "proto": 6, "dst-port-min": 8080,
                                "to-addr": "10.0.0.2", "to-port-min": 80}, {"EEXIST"})

    def policy_add(self):
        dice = self.dice
        low, length = dice.choice([("10.0.0.64", 26), ("10.0.0.96", 28), ("10.0.0.80", 28), (dice.choice(HOSTS), 32)])
        values = {"action": dice.choice(["snat", "snat", "masquerade", "dnat", "no-snat", "no-dnat"]),
                  "src-addr": low, "src-prefix": length, "priority": dice.randrange(100, 3000)}
        if dice.randrange(4):
            values["id"] = dice.choice(OTHERS)
        match values["action"]:
            case "snat":
                values |= {"pool": dice.choice(POOLS), "out-iface": "wan0"}
            case "masquerade":
                values |= {"out-iface": "wan0"}
            case "dnat":
                values |= {"dst-addr": "192.0.2.1", "proto": 17, "dst-port-min": 8053, "to-addr": dice.choice(HOSTS), "to-port-min": 53}
        if dice.randrange(3) == 0 and not values["action"].startswith("no-"):
            values |= {"expiry": dice.choice(["relative", "absolute"]), "timeout-udp": dice.choice([1, 2, 600]), "tcp-fin": True}
        self.ask("policy-add", values, {"EEXIST", "ENOENT"})

    def policy_del(self):
        ids = [*OTHERS] if self.steady or self.dice.randrange(8) else [1, 2, 3]
        self.ask("policy-del", {"id": self.dice.choice(ids)}, {"ENOENT"})

    def pool_add(self):
        low = self.dice.randrange(8)
        self.ask("pool-add", {"name": self.dice.choice(POOLS), "port-min": 1024, "port-max": 1151, "allocation": self.dice.choice(["random", "preserve"]),
                              "range": [{"addr-min": f"203.0.113.{low}", "addr-max": f"203.0.113.{self.dice.randrange(low, 8)}"}]}, {"EEXIST"})

    def pool_del(self):
        self.ask("pool-del", {"name": self.dice.choice(POOLS)}, {"ENOENT", "EBUSY"})

    def flush_all(self):
        self.ask("flow-flush")

    def flush_proto(self):
        self.ask("flow-flush", {"proto": 1 if self.steady else self.dice.choice([1, 6, 17])})

    def flush_policy(self):
        self.ask("flow-flush", {"policy": self.dice.choice(OTHERS)}, {"ENOENT"})

    def buckets(self):
        self.ask("config-set", {"buckets": self.dice.choice([1, 2, 3, 64, 256, 1000, 4096, 65536])})

    def automatic(self):
        self.ask("config-set", {"buckets": 0})

    def timeouts(self):
        names = ["timeout-tcp", "timeout-udp", "timeout-icmp", "timeout-tcp-transitory"]
        self.ask("config-set", {name: self.dice.choice([1, 2, 5, 60, 86400]) for name in names if self.dice.randrange(2)})

    def limits(self):
        name = self.dice.choice(["max-flows", "max-bindings"])
        self.ask("config-set", {name: self.dice.choice([1, 100, 5000, 65536, 200000, 200000])})

    def modes(self):
        values = {"conntrack": self.dice.choice(["untracked", "tracked"]), "events": self.dice.choice(["binding", "flow", "flow"])}
        if self.nodes is None:
            self.nodes = len((self.ask("stats-get") or [{}])[0].get("node", []))
        # With several nodes "local" is right only if all packets of a flow come in on one.
        if not self.steady or self.nodes == 1:
            values["numa"] = self.dice.choice(["home", "local"])
        self.ask("config-set", values)

    def offload(self):
        """The fast path on and off, and the early lookup on devices that are there and one that is not."""
        devices = self.dice.sample(["lan0", "wan0", "none0"], self.dice.randrange(4))
        self.ask("config-set", {"offload": self.dice.choice(["off", "on", "on"]), "offload-after": self.dice.choice([1, 3]),
                                "early-devices": {"name": devices}})

    def binding_add(self):
        dice = self.dice
        values = {"policy": dice.choice(OTHERS if self.steady else [1, *OTHERS]), "proto": dice.choice([1, 6, 17]), "inside-addr": dice.choice(HOSTS),
                  "inside-port": dice.randrange(1024, 1280), "outside-addr": dice.choice([f"203.0.113.{dice.randrange(8)}", "192.0.2.1"])}
        if dice.randrange(2):
            values["outside-port"] = dice.randrange(1024, 1152)
        if dice.randrange(2):
            values["lifetime"] = dice.choice([1, 2, 3, 600])
        # The policy may be one for destinations, for other sources, or have a pool without the address.
        self.ask("binding-add", values, {"ENOENT", "EINVAL", "EEXIST", "EADDRINUSE", "ENOSPC"})

    def binding_del(self):
        found = [entry for entry in self.gateway.ask("binding-get", dump=True) or [] if "static" in entry]
        if found:
            entry = self.dice.choice(found)
            self.ask("binding-del", {name: entry[name] for name in ("proto", "outside-addr", "outside-port")}, {"ENOENT"})

    def read(self):
        lists = ["flow-get", "binding-get", "policy-get", "pool-get", "table-get"]
        op = self.dice.choice([*lists, "stats-get", "config-get", "size-get"])
        entries = self.gateway.ask(op, dump=op in lists)
        if op == "stats-get" and entries:
            self.judge(entries[0])

    def judge(self, stats):
        """What was counted stays so, whatever became of the CPU that has counted it."""
        stats["connected"] = self.gateway.connected
        for name, value in stats.items():
            if name not in ("flows", "bindings", "node") and value < self.said.get(name, 0) and stats["connected"] == self.said["connected"]:
                raise Wrong(f"the counter {name} was {self.said[name]} and is {value}")
        self.said = stats

    def read_half(self):
        self.half = self.half[-2:]
        while self.half and self.dice.randrange(2):
            genl = self.half.pop()
            quietly(genl.sock.recv, 1 << 16, socket.MSG_DONTWAIT)
            genl.close()
        genl = self.gateway.half(self.dice.choice(["flow-get", "binding-get", "policy-get", "table-get"]))
        if genl:
            self.half.append(genl)

    def let_go(self):
        """While a list is half read the module cannot go."""
        for genl in self.half:
            genl.close()
        self.half = []

    def address(self):
        """At the wild gateway the address to masquerade with, at the steady one another."""
        addr = "192.0.2.77" if self.steady else self.dice.choice(["192.0.2.1", "192.0.2.77"])
        address("wan0", addr, 24, self.dice.randrange(2) > 0)


def address(name, addr, prefix, add):
    """Adds an address to an interface, or takes it away; says whether that changed anything."""
    kind, flags = (20, 0x605) if add else (21, 5)
    index = socket.if_nametoindex(name)
    packed = socket.inet_aton(addr)
    body = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, index) + b"".join(struct.pack("=HH", 8, kind_) + packed for kind_ in (1, 2))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        for answer, _, body in messages(sock.recv(65536)):
            code = -struct.unpack_from("=i", body)[0]
            if answer == ERROR and code not in (0, errno.EEXIST, errno.EADDRNOTAVAIL):
                raise Wrong(f"address {addr}: {os.strerror(code)}")
            return code == 0
    return False


def meddle(reins, gateway, spec, steady, pace):
    enter(gateway)
    meddler = Meddler(spec, steady)
    while reins.go(meddler.dice.random() * pace):
        meddler.once()
        if reins.hands_off:
            meddler.let_go()
    meddler.let_go()
    return f"{meddler.gateway.done} requests granted"


def listen(reins, gateways, spec):
    """Listeners of events come and go; some are too slow. Who is not misses no event."""
    heard = overrun = 0
    dice = random.Random()
    while reins.go(0.02):
        enter(dice.choice(gateways))
        genl = Genl(spec)
        slow = dice.randrange(3) == 0
        genl.sock.setsockopt(socket.SOL_SOCKET, 33, 4096 if slow else 1 << 23)  # SO_RCVBUFFORCE
        numbers = {}
        for group in genl.groups:
            quietly(genl.join, group)  # the module may have gone
        until = time.monotonic() + dice.random()
        while time.monotonic() < until and reins.go():
            if slow:
                time.sleep(0.1)
            for _ in range(200):
                if not readable([genl.sock], 0.01):
                    break
                try:
                    data = genl.sock.recv(1 << 16)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    overrun += 1
                    numbers = {}
                    continue
                for _, _, body in messages(data):
                    group, values = genl.event(body)
                    numbers.setdefault(group, []).append(values["seq"])
                    heard += 1
        genl.close()
        if not slow:
            for group, found in numbers.items():
                complete(group, found)
    return f"{heard} events, {overrun} overruns"


def complete(group, numbers):
    """CPUs that send at the same time may do so out of order: at either end some may be missing."""
    numbers = sorted(numbers)
    if len(set(numbers)) != len(numbers):
        raise Wrong(f"events {group} of one number: {numbers}")
    inner = numbers[8:-8]
    if inner and inner[-1] - inner[0] + 1 != len(inner):
        gaps = [number for number, following in zip(inner, inner[1:]) if following != number + 1]
        raise Wrong(f"events {group} missing after {gaps[:5]}, from {numbers[0]} to {numbers[-1]}")


NAMESPACE = """link set lo up
link add name wan0 type veth peer name far0
link set wan0 up
link set far0 up
addr add 192.0.2.1/24 dev wan0
addr add 10.0.0.5/32 dev lo
neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev wan0
"""


def namespaces(reins, spec):
    """Namespaces come, are configured, have flows, and die in one state or another."""
    made = 0
    while reins.go(0.05):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                one_namespace(spec)
                code = 0
            except Wrong as error:
                os.write(writer, str(error).encode())
            finally:
                os._exit(code)
        os.close(writer)
        words = os.read(reader, 4096).decode()
        os.close(reader)
        if os.waitpid(child, 0)[1]:
            raise Wrong(words or "died")
        made += 1
    return f"{made} namespaces"


def one_namespace(spec):
    dice = random.Random()
    os.unshare(0x40000000)
    how = dice.randrange(4)
    gateway = Gateway(spec)
    if how == 0:
        gateway.ask("config-set", {"timeout-udp": 3})
        return
    subprocess.run(["ip", "-batch", "-"], input=NAMESPACE.encode(), check=True)
    gateway.ask("policy-add", {"id": 1, "action": "masquerade", "out-iface": "wan0"}, {"EEXIST"})
    gateway.ask("pool-add", {"name": "red", "port-min": 5000, "port-max": 5999})
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("10.0.0.5", 0))
    for port in range(50):
        quietly(sock.sendto, b"x", (SERVERS[0], 1000 + port))
    values = {"policy": 1, "proto": 17, "inside-addr": "10.0.0.9", "inside-port": 9, "outside-addr": "192.0.2.1"}
    gateway.ask("binding-add", values | ({"lifetime": 1} if dice.randrange(2) else {}), {"ENOENT"})
    gateway.ask("config-set", {"buckets": dice.choice([1, 1024, 16384]), "offload": "on", "early-devices": {"name": ["wan0"]}})
    if how == 1:
        gateway.half("flow-get")
    elif how == 2:
        gateway.ask("policy-del", {"id": 1}, {"ENOENT"})


def cpus(reins):
    """CPUs go offline and come back. The first stays."""
    names = [name for name in sorted(os.listdir(CPUS)) if os.path.exists(f"{CPUS}/{name}/online")]
    names = [name for name in names if name != "cpu0"]
    changed = 0
    while reins.go(0.2):
        if not names:
            continue
        name = random.choice(names)
        for state in "0", "1":
            with open(f"{CPUS}/{name}/online", "w", encoding="ascii") as file:
                file.write(state)
            time.sleep(0.1)
        changed += 1
    return f"{changed} times a CPU went and came back" if names else "there is one CPU, which stays"
