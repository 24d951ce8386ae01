# SPDX-License-Identifier: GPL-2.0
"""The guest as a gateway: commands, settings, modules, the two interfaces and their routes, memory."""
import os
import subprocess
import time

INSIDE, OUTSIDE = "bench0", "bench1"
HOSTS, SERVERS, POOL = "10.1.0.0/16", "198.18.0.0/15", "203.0.113.0/24"
# Loaded by one arm and in the way of the next, as fastnat is.
FOREIGN = ("nf_", "nft_", "nfnetlink", "xt_", "ip_tables", "iptable_", "x_tables")


class Broken(Exception):
    """What an arm should have done and did not."""


def sh(*words, text=None):
    done = subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Broken(f"{' '.join(words)}: {done.stdout.strip()[-300:]}")
    return done.stdout


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def sysctl(name, value):
    write("/proc/sys/" + name.replace(".", "/"), value)


def modules():
    """Loaded modules that belong to arms, and how many use each."""
    with open("/proc/modules", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {row[0]: int(row[2]) for row in rows if row[0] == "fastnat" or row[0].startswith(FOREIGN)}


def unload():
    """Removes the modules of all arms, and with them what they hold."""
    deadline = time.monotonic() + 60
    while names := modules():
        for name in [name for name, users in names.items() if not users]:
            subprocess.run(["rmmod", name], stderr=subprocess.DEVNULL, check=False)
        if time.monotonic() > deadline:
            raise Broken(f"modules stay loaded: {' '.join(names)}")


def gateway():
    """Addresses, neighbours and routes; nothing resolves or answers an address by itself."""
    sh("modprobe", "fastnat_bench")
    # The host's clock, for User-mode Linux alone.
    subprocess.run(["modprobe", "-q", "fastnat_clock"], check=False)
    for name in "all", "default":
        sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        sysctl(f"net.ipv4.conf.{name}.send_redirects", 0)
        sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
    for device in INSIDE, OUTSIDE:
        sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)
        sysctl(f"net.ipv6.conf.{device}.disable_ipv6", 1)
    sh("ip", "-batch", "-", text=f"""
        addr add 10.0.0.1/24 dev {INSIDE}
        addr add 192.0.2.1/24 dev {OUTSIDE}
        link set {INSIDE} up
        link set {OUTSIDE} up
        neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev {INSIDE} nud permanent
        neigh add 192.0.2.2 lladdr 02:00:00:00:01:02 dev {OUTSIDE} nud permanent
        route add {HOSTS} via 10.0.0.2
        route add {SERVERS} via 192.0.2.2
        """)
    sysctl("net.ipv4.ip_forward", 1)


def used():
    """Kilobytes in slabs, mapped by vmalloc, and not free at all."""
    os.sync()
    write("/proc/sys/vm/drop_caches", 3)
    with open("/proc/meminfo", encoding="ascii") as file:
        table = {name: int(value.split()[0]) for name, value in (line.split(":") for line in file)}
    return {"slab": table["Slab"], "vmalloc": table["VmallocUsed"], "all": table["MemTotal"] - table["MemFree"]}


def touch_memory(megabytes):
    """The host gives a guest its memory at the first touch; that had better not be during a measurement."""
    chunk = bytes(1 << 20)
    with open("/dev/shm/touch", "wb", buffering=0) as file:
        try:
            for _ in range(megabytes):
                file.write(chunk)
        except OSError:
            pass
    os.unlink("/dev/shm/touch")
