#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""nfqueue.py LOG NUMBER accept|change|hold: reads packets of the queue NUMBER, and writes a line with the addresses
of each to LOG. Lets them go on as they are; or with "ping" in their payload made "PONG", and a UDP checksum of 0;
or holds them until SIGUSR1."""
import signal
import socket
import sys

from netfilterqueue import NetfilterQueue

LOG, NUMBER, WHAT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
held = []


def changed(packet):
    data = bytearray(packet.get_payload().replace(b"ping", b"PONG"))
    head = (data[0] & 15) * 4
    data[head + 6:head + 8] = b"\0\0"
    packet.set_payload(bytes(data))


def handle(packet):
    data = packet.get_payload()
    log.write(f"{socket.inet_ntoa(data[12:16])} {socket.inet_ntoa(data[16:20])} {data[9]}\n")
    if WHAT == "hold":
        packet.retain()
        held.append(packet)
        return
    if WHAT == "change" and data[9] == 17:
        changed(packet)
    packet.accept()


def let_go(*_):
    while held:
        held.pop(0).accept()


# Unbuffered lines: others read them while this runs.
with open(LOG, "w", encoding="ascii", buffering=1) as log:
    signal.signal(signal.SIGUSR1, let_go)
    queue = NetfilterQueue()
    # Messages of more than 4096 bytes are lost on the library.
    queue.bind(NUMBER, handle, range=2000)
    log.write("ready\n")
    while True:
        try:
            queue.run()
        except InterruptedError:
            pass
