#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends an ICMP query: icmp_query.py DST TYPE ID. Prints type and identifier of the reply, or "timeout"."""
import os
import socket
import struct
import sys
import time

from torture_net import checksum

BODY = {8: bytes(8), 13: bytes(12), 15: b"", 17: bytes(4), 42: bytes([0, 3, 0, 0]) + bytes(8)}


def message(kind, ident):
    rest = struct.pack("!HH", ident, 1) + BODY[kind]
    summed = checksum(struct.pack("!BBH", kind, 0, 0) + rest)
    return struct.pack("!BBH", kind, 0, summed) + rest


def main(dst, kind, ident):
    wait = 4 * int(os.environ.get("FASTNAT_SLOW", "1"))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(wait)
        end = time.monotonic() + wait
        sock.sendto(message(kind, ident), (dst, 0))
        while time.monotonic() < end:
            try:
                data, (src, _) = sock.recvfrom(2048)
            except TimeoutError:
                break
            icmp = data[(data[0] & 15) * 4:]
            if src == dst and icmp[0] != kind and checksum(icmp) == 0:
                print(icmp[0], struct.unpack("!H", icmp[4:6])[0])
                return
    print("timeout")


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
