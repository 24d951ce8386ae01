#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""pairs.py ROUNDS ADDR PORT: sockets one after another, two datagrams from each at once, sent on two CPUs; prints
how many answers came."""
import os
import socket
import sys
import threading

SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))
ROUNDS, SERVER = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3]))
CPUS = sorted(os.sched_getaffinity(0))[:2]

begin = threading.Barrier(3)
sent = threading.Barrier(3)
sock = None


def sender(which):
    os.sched_setaffinity(0, {CPUS[which]})
    for _ in range(ROUNDS):
        begin.wait()
        sock.sendto(b"A" * (which + 1), SERVER)
        sent.wait()


def answers():
    questions = set()
    try:
        while len(questions) < 2:
            questions.add(sock.recv(100).partition(b" ")[2])
    except TimeoutError:
        pass
    return len(questions)


for number in (0, 1):
    threading.Thread(target=sender, args=(number,), daemon=True).start()
total = 0
for _ in range(ROUNDS):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        sock.settimeout(2 * SLOW)
        begin.wait()
        sent.wait()
        total += answers()
print(total)
