#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""One TCP transfer between two namespaces, and what its sender saw, as JSON. See acks.sh.

    acks.py SENDER RECEIVER ADDRESS MEGABYTES CONGESTION-CONTROL
"""
import json
import os
import socket
import struct
import sys
import threading
import time

NEWNET, CONGESTION = 0x40000000, 13
PORT, CHUNK = 5001, 1 << 16


def enter(ns):
    """This thread alone."""
    with open(f"/run/netns/{ns}", encoding="ascii") as file:
        os.setns(file.fileno(), NEWNET)


def info(sock):
    """Of struct tcp_info, what is wanted here."""
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    words = struct.unpack_from("=24I", data, 8)
    acked, = struct.unpack_from("=Q", data, 120)
    segs_out, segs_in, _, least = struct.unpack_from("=4I", data, 136)
    return {"rtt": words[15], "cwnd": words[18], "retransmits": words[23], "acked": acked, "segments": segs_out, "acks": segs_in, "least": least}


def timeouts():
    """Of the namespace, of this thread: expired retransmission timers."""
    with open("/proc/thread-self/net/netstat", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("TcpExt:")]
    return int(dict(zip(names, values))["TCPTimeouts"])


class Receiver(threading.Thread):
    def __init__(self, ns, address):
        super().__init__()
        self.ns, self.address, self.ready, self.got = ns, address, threading.Event(), 0

    def run(self):
        enter(self.ns)
        with socket.create_server((self.address, PORT)) as listener:
            self.ready.set()
            with listener.accept()[0] as sock:
                while data := sock.recv(CHUNK):
                    self.got += len(data)


def send(sock, size):
    """Samples of the connection as it goes: when, and tcp_info."""
    begun, left, block, samples = time.monotonic(), size, bytes(CHUNK), []
    sock.settimeout(0.005)
    while not samples or samples[-1][1]["acked"] < size:
        try:
            left -= sock.send(block[:left]) if left else time.sleep(0.005) or 0
        except TimeoutError:
            pass
        samples.append((time.monotonic() - begun, info(sock)))
    return samples


def main():
    sender, receiver, address, megabytes, control = sys.argv[1:]
    size = int(megabytes) << 20
    other = Receiver(receiver, address)
    other.start()
    other.ready.wait()
    enter(sender)
    before = timeouts()
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, CONGESTION, control.encode())
        sock.connect((address, PORT))
        samples = send(sock, size)
    other.join()
    if other.got != size:
        sys.exit(f"{other.got} of {size} bytes arrived")
    last = samples[-1][1]
    print(json.dumps(last | {
        "seconds": samples[-1][0], "first": next(when for when, seen in samples if seen["acked"] >= 1 << 20),
        "rtt": sum(seen["rtt"] for _, seen in samples) / len(samples), "cwnd": max(seen["cwnd"] for _, seen in samples),
        "timeouts": timeouts() - before}))


main()
