#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""UDP between two namespaces in batches, both ways; every datagram has to arrive, in order and as it was sent.

    lro_forward_udp.py CLIENT SERVER ADDR PORT ROUNDS COUNT SIZE

A batch is one send, which the kernel cuts into COUNT datagrams of SIZE bytes and one of half of that. The other
side has it whole before it answers with its own. Prints how many datagrams were right, or what was wrong.
"""
import os
import socket
import sys

NEWNET = 0x40000000
UDP_SEGMENT, SO_RCVBUFFORCE = 103, 33
SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))


def inside(ns):
    with open(f"/run/netns/{ns}", encoding="ascii") as file:
        os.setns(file.fileno(), NEWNET)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    sock.settimeout(5 * SLOW)
    return sock


def batch(sender, receiver, count, size):
    """The receiver's view of the peer, and the number of datagrams."""
    data = os.urandom(count * size + size // 2)
    sender.setsockopt(17, UDP_SEGMENT, size)
    sender.send(data)
    peer = None
    for begin in range(0, len(data), size):
        got, peer = receiver.recvfrom(65535)
        if got != data[begin:begin + size]:
            raise ValueError(f"datagram {begin // size} of {len(got)} bytes is not what was sent")
    return peer, count + 1


def main():
    ns, peer_ns, addr, port, rounds, count, size = sys.argv[1:]
    client, server = inside(ns), inside(peer_ns)
    server.bind(("", int(port)))
    client.connect((addr, int(port)))
    right, known = 0, False
    for _ in range(int(rounds)):
        peer, arrived = batch(client, server, int(count), int(size))
        right += arrived
        if not known:
            server.connect(peer)
            known = True
        right += batch(server, client, int(count), int(size))[1]
    print(right)


try:
    main()
except (OSError, ValueError) as error:
    print(error)
