# SPDX-License-Identifier: GPL-2.0
"""What many policies cost: 1 to 100,000, of four kinds of match, ahead of the one that matches."""
import ipaddress
import time

import phases
import source
from machine import INSIDE, Broken, sh

STEPS = (1, 10, 1000, 10000, 100000)
FLOWS, NEW = 1000, 100000


def address(network, number):
    return str(ipaddress.ip_address(network) + number)


def other(number):
    """A policy that no packet here matches."""
    kind, number = number % 4, number // 4
    match = (f"--src {address('10.64.0.0', number)}",
             f"--dst {address('10.128.0.0', number)}",
             f"--src {address('172.16.0.0', number << 4)}/28 --proto udp",
             f"--dst {address('198.19.0.0', number)} --proto udp --dport 53")[kind]
    return f"snat --pool bench --priority 100 {match}\n"


def add(numbers):
    sh("fastnat", "policy", "load", "-", text="".join(map(other, numbers)))


def scenario(arm, plan):
    if arm.name != "fastnat":
        return []
    rows, there = [], 1
    phases.start(arm, FLOWS, room=NEW)
    for step in STEPS:
        begun = time.monotonic()
        add(range(there, step))
        print(f"  {step} policies after {time.monotonic() - begun:.1f} s", flush=True)
        there = max(there, step)
        source.forget("bench1")
        phases.warm(arm, FLOWS)
        result = phases.measure(arm, plan.packets, start=0, count=FLOWS)
        rows.append(phases.row(result, policies=step, case="established"))
        result = source.run(dev=INSIDE, packets=NEW, start=FLOWS, count=NEW, order="shuffle")
        if result["received"] != NEW:
            raise Broken(f"{result['received']} of {NEW} first packets came out with {step} policies")
        rows.append(phases.row(result, policies=step, case="new"))
        sh("fastnat", "flow", "flush")
    return rows
