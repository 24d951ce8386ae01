# SPDX-License-Identifier: GPL-2.0
"""What many policies cost: 1 to 100,000, of four kinds of match, ahead of the one that matches."""
import ipaddress
import sys
import time

import phases
import source
from machine import INSIDE, Broken

sys.path.insert(0, "/fastnat/selftests")
SPEC = "/fastnat/Documentation/netlink/specs/fastnat.yaml"
STEPS = (1, 10, 1000, 10000, 100000)
BATCH = 2000
FLOWS, NEW = 1000, 100000


def address(network, number):
    return str(ipaddress.ip_address(network) + number)


def other(number):
    """A policy that no packet here matches."""
    kind, number = number % 4, number // 4
    match = ({"src-addr": address("10.64.0.0", number), "src-prefix": 32},
             {"dst-addr": address("10.128.0.0", number), "dst-prefix": 32},
             {"src-addr": address("172.16.0.0", number << 4), "src-prefix": 28, "proto": 17},
             {"dst-addr": address("198.19.0.0", number), "dst-prefix": 32, "proto": 17, "dst-port-min": 53, "dst-port-max": 53})[kind]
    return {"action": "snat", "pool": "bench", "priority": 100} | match


def add(client, numbers):
    for first in range(numbers.start, numbers.stop, BATCH):
        batch = range(first, min(first + BATCH, numbers.stop))
        answer = client.ask("policies-add", {"policy": [other(number) for number in batch]})
        if answer.code:
            raise Broken(f"policies from {first} on: {answer.code} {answer.words}")


def scenario(arm, plan):
    if arm.name != "fastnat":
        return []
    from torture_netlink import Genl, Spec  # pylint: disable=import-error # of selftests/
    rows, there = [], 1
    phases.start(arm, FLOWS, room=NEW)
    client = Genl(Spec(SPEC))
    for step in STEPS:
        begun = time.monotonic()
        add(client, range(there, step))
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
        client.ask("flow-flush")
    client.close()
    return rows
