# SPDX-License-Identifier: GPL-2.0
"""What a device does to packets of a flow before the kernel sees them, and whether that can be had."""
from contextlib import contextmanager

from machine import INSIDE, OUTSIDE, sh

LIMITS = (4, 16, 44)
# What the kernel cuts as it leaves.
CUT = "list"


def features(**words):
    """Of both devices, by ethtool's names with - for _."""
    for device in INSIDE, OUTSIDE:
        sh("ethtool", "-K", device, *(word for name, value in words.items() for word in (name.replace("_", "-"), value)))


def lro(mode, limit=16):
    for device in INSIDE, OUTSIDE:
        sh("fastnat", "lro", "set", "dev", device, "mode", mode, "limit", str(limit))


def has_lro(arm):
    return arm.name.startswith("fastnat") and "lro" in sh("fastnat", "--help").split()


def without():
    features(gro="off")


def stock():
    features(gro="on")


@contextmanager
def tcp(arm):
    """Ways to merge by name; each is a function that switches to it."""
    ways = {"no GRO": without, "GRO": stock}
    ours = has_lro(arm)
    if ours:
        # Each sets all that another may have set.
        ways = {name: lambda way=way: (lro("off"), way()) for name, way in ways.items()}
        ways["strict"] = lambda: (stock(), lro("strict", 64))
        ways |= {f"lro {limit}": lambda limit=limit: (stock(), lro("lro", limit)) for limit in LIMITS}
    try:
        yield ways
    finally:
        stock()
        if ours:
            lro("off")


@contextmanager
def udp(_):
    """A list of datagrams is cut by the kernel as it leaves, unless the device does that, which few do."""
    try:
        yield {"no GRO": lambda: features(gro="off", rx_gro_list="off"),
               "GRO": lambda: features(gro="on", rx_gro_list="off"),
               CUT: lambda: features(gro="on", rx_gro_list="on", tx_gso_list="off"),
               "list, cut by the device": lambda: features(gro="on", rx_gro_list="on", tx_gso_list="on")}
    finally:
        features(gro="on", rx_gro_list="off", tx_gso_list="on")
