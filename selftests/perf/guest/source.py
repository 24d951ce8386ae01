# SPDX-License-Identifier: GPL-2.0
"""The packet source and sink, fastnat_bench.ko: flow arrays and runs. See module/README.md."""
import os
import random
import struct
import time
from functools import lru_cache

from machine import Broken, read

DIR = "/sys/kernel/debug/fastnat_bench"
CLOCK = "/sys/kernel/debug/fastnat_clock"
UDP, TCP = 17, 6
RECORD = struct.Struct("!IIHHB3x")
CHUNK = 1 << 20


@lru_cache(maxsize=2)
def flows(count, proto=UDP, seed=1):
    """So many flows, 16 of each inside host if there are many, to 4096 servers; each has an inside endpoint of its own."""
    rng = random.Random(seed)
    hosts = min(max(count // 16, 1), 60000)
    data = bytearray(count * RECORD.size)
    for index in range(count):
        turn, host = divmod(index, hosts)
        RECORD.pack_into(data, index * RECORD.size, 0x0A010001 + host, 0xC6120000 + rng.getrandbits(12),
                         1024 + (turn * 3907 + host * 37) % 64000, 443, proto)
    return bytes(data)


def load(device, records):
    with open(f"{DIR}/{device}/flows", "wb", buffering=0) as file:
        for start in range(0, len(records), CHUNK):
            file.write(records[start:start + CHUNK])


def forget(device):
    with open(f"{DIR}/{device}/captured", "wb"):
        pass


def number(value):
    return float(value) if "." in value else int(value)


def is_timed():
    """Whether time is measured, which is never the same twice; else instructions are counted."""
    return os.path.exists(CLOCK)


def cputime():
    """Nanoseconds of processor time that this kernel has had, whatever else the host did meanwhile. Where clocks count
    instructions, any clock tells that."""
    return int(read(CLOCK)) if is_timed() else time.monotonic_ns()


def run(**words):
    """One run; `start` stands for `from`, which Python keeps for itself."""
    command = " ".join(f"{'from' if word == 'start' else word}={value}" for word, value in words.items())
    begun = cputime()
    try:
        with open(f"{DIR}/run", "w", encoding="ascii") as file:
            file.write(command)
    except OSError as error:
        raise Broken(f"run {command}: {error.strerror}") from error
    taken = cputime() - begun
    result = {name: number(value) for name, value in (line.split() for line in read(f"{DIR}/result").splitlines())}
    return result | {"cpu_ns_per_packet": taken / max(result["sent"], 1)}
