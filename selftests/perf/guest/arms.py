# SPDX-License-Identifier: GPL-2.0
"""What is compared: each arm makes a gateway of the guest, and can tell whether flows are where they should be."""
import json
import os
import subprocess

from machine import HOSTS, INSIDE, OUTSIDE, POOL, Broken, modules, read, sh, sysctl, unload, write

HOUR = 3600
FIRST, LAST = POOL.replace("0/24", "0"), POOL.replace("0/24", "255")


class Arm:
    """Forwarding without NAT, and what all others have in common."""
    translates = False
    words = {}

    def __init__(self, name, inside=INSIDE, outside=OUTSIDE):
        self.name, self.inside, self.outside = name, inside, outside

    def up(self, flows):
        """A gateway for so many flows."""

    def down(self):
        subprocess.run(["nft", "flush", "ruleset"], stderr=subprocess.DEVNULL, check=False)
        unload()

    def warmed(self, flows):
        """Raises Broken unless so many flows are established."""
        if "nf_conntrack" in modules():
            raise Broken("connection tracking is loaded")

    def before(self):
        """What measured() wants to know of the time before the run."""

    def measured(self, result, then, cut=False):
        """Raises Broken unless the packets of the run went the way they should; cut: aggregates come out as packets."""
        if result["received"] != result["sent"]:
            raise Broken(f"{result['received']} of {result['sent']} packets came out")


class Null(Arm):
    """Every packet is dropped in PREROUTING: what the instrument costs."""
    words = {"null": 1}

    def measured(self, result, then, cut=False):
        if result["received"]:
            raise Broken(f"{result['received']} packets came out")


class Conntrack(Arm):
    """Connection tracking with its NAT by nf_tables."""
    translates = True
    rules = f"""
        table ip bench {{
            chain post {{
                type nat hook postrouting priority srcnat
                oifname "%(outside)s" ip saddr {HOSTS} snat to {FIRST}-{LAST}
            }}
        }}"""

    def up(self, flows):
        sh("modprobe", "nf_conntrack")
        tune_conntrack(flows)
        self.ruleset()

    def ruleset(self):
        sh("nft", "-f", "-", text=self.rules % {"inside": self.inside, "outside": self.outside})

    def warmed(self, flows):
        count = int(read("/proc/sys/net/netfilter/nf_conntrack_count"))
        if count < flows:
            raise Broken(f"{count} of {flows} connections")


class ConntrackIptables(Conntrack):
    """The same by iptables."""

    def ruleset(self):
        sh("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", self.outside, "-s", HOSTS,
           "-j", "SNAT", "--to-source", f"{FIRST}-{LAST}")

    def down(self):
        if "iptable_nat" in modules():
            sh("iptables", "-t", "nat", "-F")
        super().down()


class Flowtable(Conntrack):
    """The same as conntrack, with the flow table in software."""
    rules = Conntrack.rules + """
        table inet fast {
            flowtable ft {
                hook ingress priority filter
                devices = { %(inside)s, %(outside)s }
            }
            chain forward {
                type filter hook forward priority filter
                meta l4proto { tcp, udp } flow add @ft
            }
        }"""

    def up(self, flows):
        super().up(flows)
        for proto in "tcp", "udp":
            sysctl(f"net.netfilter.nf_flowtable_{proto}_timeout", HOUR)

    def warmed(self, flows):
        super().warmed(flows)
        done = subprocess.run(["grep", "-c", r"\[OFFLOAD\]", "/proc/net/nf_conntrack"], stdout=subprocess.PIPE, text=True, check=False)
        if int(done.stdout) < flows:
            raise Broken(f"{done.stdout.strip()} of {flows} connections are offloaded")


class Fastnat(Arm):
    """fastnat, every packet through the whole stack (fastnat-hooks) or past it."""
    translates = True

    def __init__(self, name, inside=INSIDE, outside=OUTSIDE):
        super().__init__(name, inside, outside)
        self.offload = name != "fastnat-hooks"

    def up(self, flows):
        sh("modprobe", "fastnat")
        limit = max(2 * flows, 65536)
        # As many buckets as connection tracking is given.
        sh("fastnat", "config", "set", "--max-flows", str(limit), "--max-bindings", str(limit),
           "--buckets", str(limit), "--timeout-udp", "1h", "--timeout-tcp", "1h")
        if self.offload:
            sh("fastnat", "config", "set", "--offload", "on", "--offload-after", "1")
        if self.name == "fastnat-early":
            sh("fastnat", "config", "set", "--early-dev", self.inside, self.outside)
        sh("fastnat", "pool", "add", "bench", "--range", POOL)
        self.policy()

    def policy(self, priority=1000):
        sh("fastnat", "policy", "add", "snat", "--pool", "bench", "--src", HOSTS, "--out", self.outside, "--priority", str(priority))

    @staticmethod
    def stats():
        return json.loads(sh("fastnat", "--json", "stats"))

    def warmed(self, flows):
        super().warmed(flows)
        count = self.stats()["flows"]
        if count != flows:
            raise Broken(f"{count} flows instead of {flows}")

    def before(self):
        return self.stats()

    def measured(self, result, then, cut=False):
        super().measured(result, then, cut)
        now = self.stats()
        result["offloaded"] = now.get("offloaded", 0) - then.get("offloaded", 0)
        # An aggregate is one packet to the kernel.
        least, most = (1 if cut else result["frames"], result["frames"]) if self.offload else (0, 0)
        if not least <= result["offloaded"] <= most:
            raise Broken(f"{result['offloaded']} of {result['frames']} packets were offloaded")


class FastnatConntrack(Fastnat):
    """The fast path while connection tracking is there, as a firewall loads it."""

    def up(self, flows):
        sh("modprobe", "nf_conntrack")
        tune_conntrack(flows)
        sh("nft", "-f", "-", text="""
            table inet firewall {
                chain forward {
                    type filter hook forward priority filter
                    ct state invalid drop
                }
            }""")
        super().up(flows)

    def warmed(self, flows):
        count = self.stats()["flows"]
        if count != flows:
            raise Broken(f"{count} flows instead of {flows}")


def tune_conntrack(flows):
    """Two buckets for each flow, room for twice as many flows, and none that ends while it is measured."""
    write("/sys/module/nf_conntrack/parameters/hashsize", max(65536, 2 * flows))
    sysctl("net.netfilter.nf_conntrack_max", max(262144, 2 * flows))
    for name in "udp_timeout", "udp_timeout_stream", "tcp_timeout_established", "tcp_timeout_syn_recv", "tcp_timeout_syn_sent":
        sysctl(f"net.netfilter.nf_conntrack_{name}", HOUR)


ARMS = {"null": Null, "forward": Arm, "conntrack": Conntrack, "conntrack-iptables": ConntrackIptables, "flowtable": Flowtable,
        "fastnat-hooks": Fastnat, "fastnat": Fastnat, "fastnat-early": Fastnat, "fastnat-conntrack": FastnatConntrack}


def make(name, **devices):
    return ARMS[name](name, **devices)


def possible(name):
    """Why an arm cannot be had with what was built; empty if it can."""
    if name.startswith("fastnat"):
        if not os.access("/usr/bin/fastnat", os.X_OK):
            return "fastnat is not installed in the guest"
        words = sh("fastnat", "config", "set", "--help")
        for option in {"fastnat-hooks": (), "fastnat-early": ("--offload", "--early-dev")}.get(name, ("--offload",)):
            if option not in words:
                return f"this fastnat has no {option}"
    return ""
