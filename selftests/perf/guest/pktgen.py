# SPDX-License-Identifier: GPL-2.0
"""The same by the kernel's own packet generator, as a cross-check of ours: pktgen, veth, the gateway, dummy.
It knows no answers, so flows are seen one way, and the flow table and the fast path are out of its reach."""
import re
import subprocess

import arms
from machine import Broken, read, sh, sysctl, write
from source import cputime

ARMS = ("null", "forward", "conntrack", "conntrack-iptables", "fastnat-hooks")
DROP = """
    table ip floor {
        chain pre {
            type filter hook prerouting priority -396
            drop
        }
    }"""


def topology():
    subprocess.run(["modprobe", "-a", "pktgen", "veth", "dummy"], check=True)
    sh("ip", "-batch", "-", text="""
        link add gen type veth peer name pg0
        link add pg1 type dummy
        link set gen up
        link set pg0 up
        link set pg1 up
        addr add 192.0.3.1/24 dev pg1
        neigh add 192.0.3.2 lladdr 02:00:00:00:01:02 dev pg1 nud permanent
        route add 10.9.0.0/16 dev pg0
        route replace 198.51.100.0/24 via 192.0.3.2
        """)
    sysctl("net.ipv4.conf.pg0.rp_filter", 0)


def blast(packets):
    """Nanoseconds a packet, of 1,000 flows in random order."""
    control = "/proc/net/pktgen"
    mac = read("/sys/class/net/pg0/address")
    write(f"{control}/kpktgend_0", "rem_device_all")
    write(f"{control}/kpktgend_0", "add_device gen")
    for line in (f"count {packets}", "delay 0", "clone_skb 0", "pkt_size 60", f"dst_mac {mac}", "dst 198.51.100.1", "src_min 10.1.0.1",
                 "src_max 10.1.0.10", "udp_src_min 10000", "udp_src_max 10099", "udp_dst_min 9", "udp_dst_max 9",
                 "flag IPSRC_RND", "flag UDPSRC_RND"):
        write(f"{control}/gen", line)
    begun = cputime()
    write(f"{control}/pgctrl", "start")
    taken = cputime() - begun
    if not re.search(r"(\d+)pps", read(f"{control}/gen")):
        raise Broken("pktgen did not run: " + read(f"{control}/gen").splitlines()[-1])
    return taken / packets


def scenario(arm, plan):
    if arm.name not in ARMS:
        return []
    topology()
    try:
        twin = arms.make(arm.name, inside="pg0", outside="pg1")
        twin.up(1000)
        if arm.name == "null":
            sh("nft", "-f", "-", text=DROP)
        blast(100000)
        speed = blast(plan.packets)
        return [{"ns": speed, "sent": plan.packets}]
    finally:
        sh("ip", "link", "del", "gen")
        sh("ip", "link", "del", "pg1")
        sh("rmmod", "pktgen")
