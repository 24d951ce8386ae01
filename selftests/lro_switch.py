#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Switches aggregation on and off as fast as the kernel lets it, in one namespace.

    lro_switch.py NAMESPACE SECONDS COUNT DEVICE…

For SECONDS, or COUNT times. In turn for each device and for the default: a mode, another limit, off; now and then
the devices' entries are deleted. One of them is of a device that there is not. Ends with no entry, and the default
off.
Prints how often it switched, or what was refused.
"""
import os
import random
import sys
import time

from torture_netlink import Genl, Spec, enter

SPEC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Documentation/netlink/specs/fastnat.yaml")


class Refused(Exception):
    pass


class Switch:
    def __init__(self):
        self.genl = Genl(Spec(SPEC))
        self.count = 0

    def do(self, op, allowed=0, **values):
        answer = self.genl.ask(op, values)
        if answer.code not in (0, allowed):
            raise Refused(f"{op} {values}: {os.strerror(answer.code)}: {answer.words}")
        self.count += 1

    def round(self, devices):
        for device in [{}] + [{"device": name} for name in devices] + [{"device": "nowhere"}]:
            self.do("lro-set", mode=random.choice(["lro", "lro", "strict"]), **device)
            self.do("lro-set", limit=random.randint(2, 64), **device)
            self.do("lro-set", mode="off", **device)
        if random.random() < 0.2:
            self.forget(devices)

    def forget(self, devices):
        for name in devices + ["nowhere"]:
            self.do("lro-set", device=name, mode="lro")
        for name in devices + ["nowhere"]:
            self.do("lro-del", device=name)


def main():
    namespace, seconds, most, *devices = sys.argv[1:]
    enter(namespace)
    switch = Switch()
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end and switch.count < int(most):
        switch.round(devices)
    switch.forget(devices)
    print(switch.count)


try:
    main()
except (OSError, Refused) as error:
    print(error)
