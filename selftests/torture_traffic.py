# SPDX-License-Identifier: GPL-2.0
"""The traffic of torture.py. Everywhere the inside is 10.0.0.0/24, of which a client answers for 10.0.0.2 and for
all of 10.0.0.64/26, the gateway is 10.0.0.1 and 192.0.2.1, servers are 192.0.2.2 to .4, and 203.0.113.0/24 is routed
to the gateway."""
import hashlib
import random
import socket
import struct
import threading
import time

from torture_net import MAGIC, SLOW, Wrong, echo_request, readable, sealed, udp, unsealed
from torture_netlink import enter

UDP_SEGMENT = 103
SERVERS = ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
HOSTS = [f"10.0.0.{host}" for host in range(64, 128)]
ECHO, DISCARD, WEB, TWICE = 53, 9, 80, 8053
BURST = 60  # datagrams
KEPT = 24  # UDP endpoints that must not change


def quietly(function, *args):
    """What others do to a packet on its way may come back as an error of the next call."""
    try:
        return function(*args)
    except (OSError, TimeoutError):
        return None


def inet(kind, addr="", port=0, proto=0):
    sock = socket.socket(socket.AF_INET, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if addr or port:
        sock.bind((addr, port))
    return sock


def bursts(addr):
    """A socket that sends many datagrams at once."""
    sock = inet(socket.SOCK_DGRAM, addr)
    sock.setsockopt(17, UDP_SEGMENT, 32)
    return sock


def many(reins, client):
    """Many tuples from many sources to servers, to the outside of other hosts, and back. An answer that comes to a host
    that did not ask is one to a binding that was flushed meanwhile: its port has a new owner. They are counted."""
    enter(client)
    dice = random.Random()
    out, back = inet(socket.SOCK_RAW, proto=socket.IPPROTO_RAW), inet(socket.SOCK_RAW, proto=socket.IPPROTO_UDP)
    ping = inet(socket.SOCK_RAW, proto=socket.IPPROTO_ICMP)
    burst = bursts(HOSTS[0])
    sent = good = stray = 0
    while reins.go(0.002):
        for _ in range(dice.randrange(40)):
            src, sport = dice.choice(HOSTS), 1024 + dice.randrange(1 << dice.randrange(12))
            dst, dport = dice.choice(SERVERS), ECHO
            match dice.randrange(8):
                case 0:
                    dst, dport = "192.0.2.1", TWICE
                case 1:
                    dst, dport = f"203.0.113.{dice.randrange(8)}", dice.randrange(1024, 1152)
            packet = udp(src, sport, dst, dport, sealed(src, sport, dst, dport))
            sent += quietly(out.sendto, packet, (dst, 0)) is not None
        for server in SERVERS * 2:
            sent += BURST * (quietly(burst.sendto, bytes(32 * BURST), (server, DISCARD)) is not None)
        if dice.randrange(4) == 0:
            body = struct.pack("!BBHHH", 8, 0, 0, dice.randrange(512), 1)
            sent += quietly(ping.sendto, echo_request(dice.randrange(512), 1, body), (dice.choice(SERVERS), 0)) is not None
        while readable([ping], 0):
            ping.recv(2048)
        while readable([back], 0):
            packet = back.recv(4096)
            sport, dport = struct.unpack("!HH", packet[20:24])
            if not packet[28:].startswith(MAGIC):
                continue
            known = unsealed(packet[28:])
            if not known:
                raise Wrong(f"a datagram was damaged: {packet.hex()}")
            src, dst = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
            if dport == ECHO:
                quietly(out.sendto, udp(dst, dport, src, sport, packet[28:]), (src, 0))
            elif known == ((dst, dport), (src, sport)):
                good += 1
            else:
                stray += 1
    return f"{sent} packets, {good} answers, {stray} of them late"


def serve(reins, namespace, addrs):
    """Echo over UDP and TCP. Also knocks at the gateway, if it is outside."""
    enter(namespace)
    dice = random.Random()
    datagrams = [inet(socket.SOCK_DGRAM, addr, ECHO) for addr in addrs]
    nowhere = [inet(socket.SOCK_DGRAM, addr, DISCARD) for addr in addrs]
    knock = inet(socket.SOCK_DGRAM)
    web = inet(socket.SOCK_STREAM, "", WEB)
    web.listen(64)
    streams, served = [], 0
    while reins.go():
        for sock in readable([*datagrams, web, *streams], 0.05):
            if sock is web:
                streams.append(web.accept()[0])
                streams[-1].setblocking(False)
                for old in streams[:-40]:
                    old.close()
                streams = streams[-40:]
            elif sock in datagrams:
                while got := quietly(sock.recvfrom, 65535, socket.MSG_DONTWAIT):
                    quietly(sock.sendto, *got)
                    served += 1
            elif sock in streams:
                data = quietly(sock.recv, 65535)
                if not data or quietly(sock.send, data) is None:
                    sock.close()
                    streams.remove(sock)
                served += 1
        if addrs is SERVERS:
            for _ in range(4):
                quietly(knock.sendto, b"knock", (f"203.0.113.{dice.randrange(8)}", dice.randrange(1024, 1152)))
                quietly(knock.sendto, b"knock", ("192.0.2.1", dice.choice([TWICE, dice.randrange(65536)])))
    del nowhere
    return f"{served} requests"


def connections(reins, client, server):
    """Short connections in both directions; what is refused, cut off or never answered may be, but what comes back is
    what was sent."""
    done = tried = 0
    while reins.go(0.005):
        inside = random.randrange(3) > 0
        enter(client if inside else server)
        with inet(socket.SOCK_STREAM, random.choice(HOSTS) if inside else "") as sock:
            sock.settimeout(0.3 * SLOW)
            dst = (random.choice(SERVERS), WEB) if inside else ("192.0.2.1", 8080)
            data, back, tried = random.randbytes(random.randrange(1, 4000)), b"", tried + 1
            try:
                sock.connect(dst)
                sock.sendall(data)
                while len(back) < len(data) and (more := sock.recv(65535)):
                    back += more
            except OSError:
                pass
            if not data.startswith(back):
                raise Wrong("a connection brought back what was not sent")
            done += back == data
    return f"{done} connections of {tried}"


class Transfer:
    """One TCP connection, full in both directions; each way is summed up at both ends."""

    def __init__(self, reins, client, server):
        self.reins, self.sums, self.bytes, self.errors = reins, {}, 0, []
        enter(server)
        listener = inet(socket.SOCK_STREAM, "", 5001)
        listener.listen(1)
        enter(client)
        near = inet(socket.SOCK_STREAM, "10.0.0.2")
        near.settimeout(20 * SLOW)
        near.connect((SERVERS[0], 5001))
        far, _ = listener.accept()
        far.settimeout(20 * SLOW)
        self.threads = [threading.Thread(target=self.run, args=args, daemon=True) for args in
                        ((self.send, near, "there"), (self.receive, far, "there"),
                         (self.send, far, "back"), (self.receive, near, "back"))]
        for thread in self.threads:
            thread.start()

    def run(self, function, sock, way):
        total = hashlib.sha1()
        try:
            function(sock, total)
        except OSError as error:
            self.errors.append(f"{way}: {error}")
        self.sums[function.__name__, way] = total.hexdigest()

    def send(self, sock, total):
        while self.reins.go(0.005):
            data = random.randbytes(16384)
            total.update(data)
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    def receive(self, sock, total):
        while data := sock.recv(65536):
            total.update(data)
            self.bytes += len(data)

    def end(self):
        for thread in self.threads:
            thread.join(30 * SLOW)
        if self.errors:
            raise Wrong(f"the connection that nobody concerned broke: {self.errors}")
        for way in "there", "back":
            if self.sums.get(("send", way), 1) != self.sums.get(("receive", way), 2):
                raise Wrong(f"the connection that nobody concerned brought something else {way}")
        return f"{self.bytes >> 10} KiB over one connection"


def protected(reins, client, server):
    """10.0.0.2 and the policies for it are left alone: what it has begun goes on, from the same outside endpoints."""
    transfer = Transfer(reins, client, server)
    enter(server)
    echo = inet(socket.SOCK_DGRAM, SERVERS[0], 5002)
    caller = inet(socket.SOCK_DGRAM, SERVERS[1], 5003)
    enter(client)
    inside = inet(socket.SOCK_DGRAM, "10.0.0.2", 5004)
    burst, socks = bursts("10.0.0.2"), {}
    for _ in range(KEPT):
        sock = inet(socket.SOCK_DGRAM, "10.0.0.2")
        sock.connect((SERVERS[0], 5002))
        socks[sock] = None
    answers, calls, heard = 0, 0, time.monotonic()
    while reins.go(0.01):
        for sock in socks:
            sock.send(b"%d" % sock.fileno())
        caller.sendto(b"call", ("203.0.113.9", 5004))
        for _ in range(12):
            burst.sendto(bytes(32 * BURST), (SERVERS[2], DISCARD))
        while readable([echo], 0.01 if not answers else 0):
            data, peer = echo.recvfrom(2048)
            echo.sendto(f"{data.decode()} {peer[0]}:{peer[1]}".encode(), peer)
        for sock in readable(list(socks), 0):
            number, _, peer = sock.recv(2048).decode().partition(" ")
            if int(number) != sock.fileno():
                raise Wrong("an answer came to a socket that did not ask")
            if socks[sock] not in (None, peer):
                raise Wrong(f"an endpoint that nobody concerned was {socks[sock]} and is {peer}")
            socks[sock], answers, heard = peer, answers + 1, time.monotonic()
        while readable([inside], 0):
            data, peer = inside.recvfrom(2048)
            inside.sendto(data, peer)
        while readable([caller], 0):
            data, peer = caller.recvfrom(2048)
            if peer != ("203.0.113.9", 5004):
                raise Wrong(f"the answer to a call came from {peer}")
            calls += 1
        if time.monotonic() - heard > 20 * SLOW:
            raise Wrong("flows that nobody concerned are dead")
    if not calls or None in socks.values():
        raise Wrong(f"not all that nobody concerned was answered: {calls} calls, {list(socks.values()).count(None)} silent")
    return f"{answers} answers to {KEPT} endpoints, {calls} calls, {transfer.end()}"
