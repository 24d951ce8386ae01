#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""TCP in both directions at once between two namespaces; every byte is compared with what was sent.

    lro_bulk.py CLIENT SERVER ADDR PORT [NAME=VALUE …]

bytes, for each direction of each connection, or seconds (fewer, if SIGTERM comes); connections; chunk (of one send); one
(up or down: only that direction); pause (ms, after each look at the
sockets); timeout. Of the sockets: mss, buffer, df (0: none), ca (congestion control),
md5 (a key), ao (a key), mptcp (1), from (the client's address).
Prints a line of JSON: verdict (intact, or what is wrong), seconds, bytes, retransmits, what the connections negotiated.
"""
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

NEWNET = 0x40000000
MPTCP, MD5SIG, AO_ADD_KEY = 262, 14, 38
TIMESTAMPS, SACK, ECN, ECN_SEEN = 1, 2, 8, 16  # tcpi_options
SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))
# What a stream consists of, again and again; its length is prime, so that bytes at a wrong place are wrong bytes.
BLOCK = os.urandom(1000003)
ROOM = BLOCK + BLOCK[:1 << 18]
DEFAULTS = {"bytes": 2 << 20, "seconds": 0, "connections": 1, "chunk": 1 << 16, "one": "", "pause": 0, "timeout": 10, "mss": 0,
            "buffer": 0, "df": 1, "ca": "", "md5": "", "ao": "", "mptcp": 0, "from": ""}


class Damage(Exception):
    pass


class Over:
    """Have we been told to come to an end?"""
    yes = False

    @classmethod
    def now(cls, *_):
        cls.yes = True


def enter(ns):
    with open(f"/run/netns/{ns}", encoding="ascii") as file:
        os.setns(file.fileno(), NEWNET)


def sockaddr(family, addr):
    if family == socket.AF_INET6:
        packed = struct.pack("HHI", family, 0, 0) + socket.inet_pton(family, addr)
    else:
        packed = struct.pack("HH", family, 0) + socket.inet_aton(addr)
    return packed.ljust(128, b"\0")


def authenticate(sock, want, peer):
    """Keys of TCP-MD5 (struct tcp_md5sig) or TCP-AO (struct tcp_ao_add) for one peer."""
    key = (want["md5"] or want["ao"]).encode()
    bits = 128 if sock.family == socket.AF_INET6 else 32
    if want["md5"]:
        sock.setsockopt(6, MD5SIG, sockaddr(sock.family, peer) + struct.pack("BBHi80s", 0, 0, len(key), 0, key))
    if want["ao"]:
        sock.setsockopt(6, AO_ADD_KEY, sockaddr(sock.family, peer) + b"hmac(sha1)".ljust(64, b"\0") +
                        struct.pack("iIHBBBBBB80s", 0, 3, 0, bits, 1, 1, 12, 0, len(key), key))


def make(want, addr, peer):
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, MPTCP if want["mptcp"] else 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if want["mss"]:
        sock.setsockopt(6, socket.TCP_MAXSEG, want["mss"])
    if want["buffer"]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, want["buffer"])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, max(want["buffer"], 1 << 16))
    if not want["df"]:
        sock.setsockopt(0, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
    if want["ca"]:
        sock.setsockopt(6, socket.TCP_CONGESTION, want["ca"].encode())
    if want["md5"] or want["ao"]:
        authenticate(sock, want, peer)
    return sock


class End:
    """One end of a connection. A stream ends with a shutdown, so that the other side knows its length."""

    def __init__(self, sock, number, side, want):
        self.sock, self.want = sock, want
        self.start = {"up": 7919 * number, "down": 500000 + 7919 * number}
        self.out, self.into = ("up", "down") if side == "client" else ("down", "up")
        self.sent = self.received = 0
        self.sending = self.receiving = True
        self.number = number
        sock.setblocking(False)

    def limit(self, now, deadline):
        if self.want["one"] not in ("", self.out):
            return 0
        if not self.want["seconds"]:
            return self.want["bytes"]
        # The server goes on for as long as the client.
        more = self.receiving if self.out == "down" and not self.want["one"] else now < deadline
        return self.sent + (1 << 20) * more

    def send(self, deadline):
        left = self.limit(time.monotonic(), deadline) - self.sent
        if left <= 0:
            self.sock.shutdown(socket.SHUT_WR)
            self.sending = False
            return
        at = (self.start[self.out] + self.sent) % len(BLOCK)
        self.sent += self.sock.send(ROOM[at:at + min(left, self.want["chunk"])])

    def receive(self):
        data = self.sock.recv(1 << 17)
        if not data:
            self.receiving = False
            return
        at = (self.start[self.into] + self.received) % len(BLOCK)
        if data != ROOM[at:at + len(data)]:
            wrong = next(i for i, byte in enumerate(data) if byte != ROOM[at + i])
            raise Damage(f"damaged: connection {self.number}, {self.into}, byte {self.received + wrong}")
        self.received += len(data)

    def serve(self, events, deadline):
        try:
            if events & selectors.EVENT_READ and self.receiving:
                self.receive()
            if events & selectors.EVENT_WRITE and self.sending:
                self.send(deadline)
        except BlockingIOError:
            pass  # MPTCP may be wrong about what it is ready for


def run(ends, want):
    """Until all streams have ended; every connection is served as its sockets are ready."""
    selector = selectors.DefaultSelector()
    begin = time.monotonic()
    deadline = begin + want["seconds"]
    give_up = deadline + want["timeout"] * SLOW
    for end in ends:
        selector.register(end.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, end)
    while selector.get_map():
        if Over.yes:
            give_up = min(give_up, time.monotonic() + want["timeout"] * SLOW)
            Over.yes, deadline = False, 0
        if time.monotonic() > give_up:
            raise Damage("stuck: " + ", ".join(f"connection {end.number} sent {end.sent} received {end.received}"
                                               for end in ends if end.sending or end.receiving))
        for key, events in selector.select(0.5):
            end = key.data
            end.serve(events, deadline)
            watch = selectors.EVENT_READ * end.receiving | selectors.EVENT_WRITE * end.sending
            if watch:
                selector.modify(end.sock, watch, end)
            else:
                selector.unregister(end.sock)
        time.sleep(want["pause"] / 1000)
    return time.monotonic() - begin


def facts(ends, seconds):
    """What the kernel says of the connections (struct tcp_info)."""
    raw = [end.sock.getsockopt(6, socket.TCP_INFO, 256) for end in ends]
    options = raw[0][5] if raw[0] else 0
    return {"seconds": round(seconds, 3), "sent": [end.sent for end in ends], "received": [end.received for end in ends],
            "retransmits": sum(struct.unpack_from("I", info, 100)[0] for info in raw),
            "mss": struct.unpack_from("I", raw[0], 16)[0],
            "timestamps": bool(options & TIMESTAMPS), "sack": bool(options & SACK), "ecn": bool(options & ECN),
            "ecn-seen": bool(options & ECN_SEEN),
            "delivered-ce": sum(struct.unpack_from("I", info, 196)[0] for info in raw)}


def client(ns, addr, port, want):
    enter(ns)
    ends = []
    for number in range(want["connections"]):
        sock = make(want, addr, addr)
        sock.settimeout(want["timeout"] * SLOW)
        if want["from"]:
            sock.bind((want["from"], 0))
        sock.connect((addr, port))
        sock.sendall(bytes([number]))  # connections may be accepted in another order
        ends.append(End(sock, number, "client", want))
    return facts(ends, run(ends, want))


def server(ns, addr, port, want, ready):
    enter(ns)
    listener = make(want, addr, want["from"] or addr)
    listener.settimeout(want["timeout"] * SLOW)
    listener.bind(("::" if ":" in addr else "", port))  # ADDR may be another's, who translates
    listener.listen(want["connections"])
    os.write(ready, b"!")
    ends = []
    for _ in range(want["connections"]):
        sock, _ = listener.accept()
        sock.settimeout(want["timeout"] * SLOW)
        ends.append(End(sock, sock.recv(1)[0], "server", want))
    ends.sort(key=lambda end: end.number)
    return facts(ends, run(ends, want))


def outcome(work, *args):
    try:
        return {"verdict": "intact", **work(*args)}
    except (Damage, OSError) as error:
        return {"verdict": str(error) or type(error).__name__}


def judge(up, down):
    """UP and DOWN are what client and server have found."""
    for side, found in (("client", up), ("server", down)):
        if found["verdict"] != "intact":
            return f"{side}: {found['verdict']}"
    if up["sent"] != down["received"] or down["sent"] != up["received"]:
        return "lengths differ"
    return "intact"


def main():
    ns, peer_ns, addr, port = sys.argv[1:5]
    want = dict(DEFAULTS)
    for word in sys.argv[5:]:
        name, _, value = word.partition("=")
        want[name] = type(DEFAULTS[name])(value)
    report_in, report_out = os.pipe()
    ready_in, ready_out = os.pipe()
    signal.signal(signal.SIGTERM, Over.now)
    pid = os.fork()
    if pid == 0:
        found = outcome(server, peer_ns, addr, int(port), want, ready_out)
        os.write(ready_out, b"!")
        os.write(report_out, json.dumps(found).encode())
        os._exit(0)
    os.close(report_out)
    os.read(ready_in, 1)
    here = outcome(client, ns, addr, int(port), want)
    if here["verdict"] != "intact":
        os.kill(pid, signal.SIGALRM)
    with os.fdopen(report_in, "rb") as pipe:
        there = json.loads(pipe.read() or b'{"verdict": "gone"}')
    os.waitpid(pid, 0)
    total = sum(here.get("sent", [])) + sum(here.get("received", []))
    mbit = round(total * 8e-6 / here["seconds"], 1) if here.get("seconds") else 0
    print(json.dumps({"verdict": judge(here, there), "bytes": total, "mbit": mbit, "client": here, "server": there}))


main()
