#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends COUNT datagrams from SRC to DST whose tuples an unkeyed hash would put into one of BUCKETS buckets.

The hash is the one that the module uses, SipHash-1-3, with a key of zeroes.
"""
import socket
import struct
import sys

MASK = (1 << 64) - 1


def rotate(value, bits):
    return (value << bits | value >> 64 - bits) & MASK


def sip_round(a, b, c, d):
    a = a + b & MASK
    c = c + d & MASK
    b = rotate(b, 13) ^ a
    d = rotate(d, 16) ^ c
    a = rotate(a, 32)
    c = c + b & MASK
    a = a + d & MASK
    b = rotate(b, 17) ^ c
    d = rotate(d, 21) ^ a
    return a, b, rotate(c, 32), d


def siphash13(words):
    state = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    for word in words + [len(words) << 59]:
        a, b, c, d = state
        a, b, c, d = sip_round(a, b, c, d ^ word)
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    state = (a, b, c ^ 0xFF, d)
    for _ in range(3):
        state = sip_round(*state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def bucket(src, sport, dst, dport, buckets):
    addrs = struct.unpack("<Q", socket.inet_aton(src) + socket.inet_aton(dst))[0]
    ports = struct.unpack("<Q", struct.pack("!HHBxxx", sport, dport, 17))[0]
    return siphash13([addrs, ports]) & buckets - 1


src, dst, buckets, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for sport in range(1024, 65536):
    if bucket(src, sport, dst, 9, buckets) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((src, sport))
            sock.sendto(b"x", (dst, 9))
        count -= 1
        if count == 0:
            break
sys.exit(1 if count else 0)
