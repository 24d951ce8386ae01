#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sockets in any network namespace, driven by lib.sh, one line for a command and one for its answer.

One interpreter serves a whole test, because starting one takes seconds under emulation.
An endpoint is written ADDR:PORT; a lone "-" leaves the choice to the kernel.
"""
import errno
import os
import resource
import socket
import struct
import sys
import threading
import time

HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
NEWNET = 0x40000000
SO_NO_CHECK = 11
UDP_SEGMENT = 103
MARKER = 0x88B5  # an EtherType for local experiments

# Emulated debug kernels are slow: every wait for an answer is this many times as long.
SLOW = int(os.environ.get("FASTNAT_SLOW", "1"))

heard = {}  # (namespace, protocol, port) -> what the server there saw
named = {}  # sockets that outlive their command
pouring = []
streams = {}


def endpoint(text):
    addr, _, port = text.partition(":")
    return (addr if addr != "-" else "", int(port or 0))


def show(addr):
    return f"{addr[0]}:{addr[1]}"


def within(ns, function, *args):
    target = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    try:
        os.setns(target, NEWNET)
        return function(*args)
    finally:
        os.setns(HOME, NEWNET)
        os.close(target)


def make(ns, family, kind, proto=0):
    """A socket keeps the namespace it was born in."""
    return within(ns, socket.socket, family, kind, proto)


def sysctl(ns, *settings):
    def write():
        for setting in settings:
            name, _, value = setting.partition("=")
            with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
                file.write(value)
    within(ns, write)
    return "ok"


def inet(ns, proto, src):
    sock = make(ns, socket.AF_INET, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    if proto == "udp0":
        sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    if src != "-":
        # Not for the others: the kernel may choose one port for several that allow it.
        if endpoint(src)[1]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(endpoint(src))
    return sock


def payload(size):
    return bytes(i * 7 % 251 for i in range(size))


# Servers answer with the peer they saw, a space, and what they were sent.

def serve_udp(sock, log):
    while True:
        data, peer = sock.recvfrom(65535)
        log.append(show(peer))
        try:
            sock.sendto(show(peer).encode() + b" " + data, peer)
        except OSError:
            pass


def serve_stream(conn, peer):
    try:
        while data := receive_all(conn):
            conn.sendall(frame(show(peer).encode() + b" " + data))
    except OSError:
        pass
    conn.close()


def serve_tcp(sock, log):
    while True:
        conn, peer = sock.accept()
        log.append(show(peer))
        threading.Thread(target=serve_stream, args=(conn, peer), daemon=True).start()


def listening(ns, port):
    """Does anybody listen on the TCP port? "0A" is the state's number."""
    def look():
        with open("/proc/thread-self/net/tcp", encoding="ascii") as table:
            return [line.split() for line in table]
    found = any(row[1].endswith(f":{int(port):04X}") and row[3] == "0A" for row in within(ns, look))
    return "yes" if found else "no"


def frame(data):
    return struct.pack("!I", len(data)) + data


def receive_exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def receive_all(sock):
    head = receive_exactly(sock, 4)
    return receive_exactly(sock, struct.unpack("!I", head)[0]) if head else b""


def serve(proto, ns, where):
    sock = inet(ns, proto, where)
    log = heard.setdefault((ns, proto, endpoint(where)[1]), [])
    if proto == "tcp":
        sock.listen(512)
    loop = serve_tcp if proto == "tcp" else serve_udp
    threading.Thread(target=loop, args=(sock, log), daemon=True).start()
    return "ok"


def heard_by(proto, ns, port):
    """Peers that the server saw since the last time somebody asked."""
    log = heard[(ns, proto, int(port))]
    seen, log[:] = list(log), []
    return " ".join(seen) or "nobody"


# Clients. An answer is the peer that the server saw, or what went wrong.

def judge(answer, sent):
    peer, _, echo = answer.partition(b" ")
    return peer.decode() if echo == sent else "corrupt"


def exchange(sock, proto, size, dst=None):
    sent = payload(size)
    if proto == "tcp":
        sock.sendall(frame(sent))
        return judge(receive_all(sock), sent)
    if not dst:
        sock.send(sent)
        return judge(sock.recv(65535), sent)
    sock.sendto(sent, endpoint(dst))
    answer, source = sock.recvfrom(65535)
    verdict = judge(answer, sent)
    return verdict if show(source) == dst else f"{verdict} from {show(source)}"


def ask(wait, proto, ns, src, dst, size="64"):
    sock = inet(ns, proto, src)
    with sock:
        sock.settimeout(float(wait) * SLOW)
        sock.connect(endpoint(dst))
        return exchange(sock, proto, int(size))


def open_(wait, name, proto, ns, src, dst="-"):
    sock = inet(ns, proto, src)
    sock.settimeout(float(wait) * SLOW)
    if dst != "-":
        sock.connect(endpoint(dst))
    if name in named:
        named[name][0].close()
    named[name] = (sock, proto)
    return "ok"


def say(wait, name, dst="-", size="64"):
    sock, proto = named[name]
    sock.settimeout(float(wait) * SLOW)
    return exchange(sock, proto, int(size), None if dst == "-" else dst)


def burst(wait, name, count, size="64"):
    """COUNT exchanges, one after another, on a connected socket; how many were answered."""
    sock, proto = named[name]
    sock.settimeout(float(wait) * SLOW)
    return str(sum(answered(sock, proto, int(size)) for _ in range(int(count))))


def answered(sock, proto, size):
    try:
        return exchange(sock, proto, size) not in ("", "corrupt")
    except OSError:
        return False


def volley(name, count, size):
    """COUNT datagrams at once, and whatever answers come until none does; how many."""
    sock = named[name][0]
    for _ in range(int(count)):
        sock.send(payload(int(size)))
    sock.settimeout(0.3 * SLOW)
    got = 0
    try:
        while sock.recv(65535):
            got += 1
    except OSError:
        pass
    return str(got)


def stream(name):
    """Exchanges on a connected socket until `streamed`, which says how many there were, and how many answers."""
    sock, proto = named[name]
    sock.settimeout(SLOW)
    stop, tally = threading.Event(), [0, 0]

    def run():
        while not stop.wait(0.01 * SLOW):
            tally[0] += 1
            tally[1] += answered(sock, proto, 64)

    thread = threading.Thread(target=run, daemon=True)
    streams[name] = (stop, thread, tally)
    thread.start()
    return "ok"


def streamed(name):
    stop, thread, tally = streams.pop(name)
    stop.set()
    thread.join()
    return f"{tally[0]} {tally[1]}"


OPTIONS = {"ttl": (0, socket.IP_TTL), "tos": (0, socket.IP_TOS), "pmtudisc": (0, 10),
           "options": (0, socket.IP_OPTIONS), "recverr": (0, 11), "timestamp": (1, 29),
           "ttl-multicast": (0, socket.IP_MULTICAST_TTL), "loop-multicast": (0, socket.IP_MULTICAST_LOOP)}


def set_(name, option, value):
    """Of an open socket; IP options in hexadecimal, or - for none."""
    number = bytes.fromhex(value.strip("-")) if option == "options" else int(value)
    named[name][0].setsockopt(*OPTIONS[option], number)
    return "ok"


def join(name, group, addr):
    """Makes a socket a member of a group, by the interface with this address."""
    request = socket.inet_aton(group) + socket.inet_aton(addr)
    named[name][0].setsockopt(0, socket.IP_ADD_MEMBERSHIP, request)
    return "ok"


def sender(name, addr):
    """By which interface a socket sends to groups."""
    named[name][0].setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton(addr))
    return "ok"


def reset(name):
    """Ends a connection with RST."""
    named[name][0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return close(name)


def table(ns, name):
    """The words of /proc/net/NAME, line by line."""
    def look():
        with open("/proc/thread-self/net/" + name, encoding="ascii") as lines:
            return [line.replace(":", " ").split() for line in lines]
    return within(ns, look)


def received(ns, iface):
    """Packets that came in by an interface."""
    return next(row[2] for row in table(ns, "dev") if row[0] == iface)


def snmp(ns, name):
    """A counter of IP."""
    names, values = (row for row in table(ns, "snmp") if row[0] == "Ip")
    return values[names.index(name)]


def tell(name, dst, text):
    named[name][0].sendto(text.encode(), endpoint(dst))
    return "ok"


def hear(wait, name):
    sock, _ = named[name]
    sock.settimeout(float(wait) * SLOW)
    data, peer = sock.recvfrom(65535)
    return f"{show(peer)} {data.decode(errors='replace')}"


def close(name):
    named.pop(name)[0].close()
    return "ok"


def close_all():
    while named:
        named.popitem()[1][0].close()
    return "ok"


def flood(wait, name, ns, src, dst, count):
    """COUNT sockets, a datagram from each; how many were answered in time. With WAIT 0 nobody waits."""
    socks = []
    for i in range(int(count)):
        addr, port = endpoint(src)
        sock = inet(ns, "udp", f"{addr}:{port + i if port else 0}")
        sock.connect(endpoint(dst))
        try:
            sock.send(payload(8))
        except OSError:
            pass
        socks.append(sock)
    answered = 0
    if float(wait):
        answered = sum(answer_before(sock, time.monotonic() + (float(wait) if i == 0 else 0.2) * SLOW)
                       for i, sock in enumerate(socks))
    for i, sock in enumerate(socks):
        named[f"{name}{i}"] = (sock, "udp")
    return str(answered)


def occupy(name, proto, ns, src, count):
    """COUNT sockets at SRC, from its port on, which nobody reads; TCP listens."""
    addr, port = endpoint(src)
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM

    def bind():
        for i in range(int(count)):
            sock = socket.socket(socket.AF_INET, kind)
            sock.bind((addr, port + i))
            if proto == "tcp":
                sock.listen(1)
            named[f"{name}{i}"] = (sock, proto)
    within(ns, bind)
    return "ok"


def vacate(name, count):
    for i in range(int(count)):
        close(f"{name}{i}")
    return "ok"


def crowd(wait, ns, first, count, dst):
    """A datagram from each of COUNT addresses, beginning with FIRST; how many were answered in time."""
    base, = struct.unpack("!I", socket.inet_aton(first))
    socks = []
    for i in range(int(count)):
        sock = inet(ns, "udp", socket.inet_ntoa(struct.pack("!I", base + i)) + ":0")
        sock.connect(endpoint(dst))
        sock.send(payload(8))
        socks.append(sock)
    deadline = time.monotonic() + float(wait) * SLOW
    answered = sum(answer_before(sock, deadline) for sock in socks)
    for sock in socks:
        sock.close()
    return str(answered)


def answer_before(sock, deadline):
    sock.settimeout(max(0.01, deadline - time.monotonic()))
    try:
        return judge(sock.recv(65535), payload(8)) != "corrupt"
    except OSError:
        return False


def segments(wait, ns, src, dst, total, size):
    """One send of TOTAL bytes that the kernel cuts into datagrams of SIZE; how many came back whole."""
    with inet(ns, "udp", src) as sock:
        sock.settimeout(float(wait) * SLOW)
        sock.connect(endpoint(dst))
        sock.setsockopt(17, UDP_SEGMENT, int(size))
        data = payload(int(total))
        sock.send(data)
        parts = {data[i:i + int(size)] for i in range(0, len(data), int(size))}
        count = 0
        while parts:
            part = sock.recv(65535).partition(b" ")[2]
            if part not in parts:
                return "corrupt"
            parts.remove(part)
            count += 1
        return str(count)


def pour(ns, dst, ports="16"):
    """Datagrams from many source ports, until the test ends or `calm`."""
    socks = [inet(ns, "udp", "-") for _ in range(int(ports))]
    stop = threading.Event()
    pouring.append(stop)

    def run():
        # A slow kernel is busy with one round for longer than this pause, and gets to nothing else.
        while not stop.wait(0.002 if SLOW == 1 else 0.05 * SLOW):
            for sock in socks:
                try:
                    sock.sendto(b"pour", endpoint(dst))
                except OSError:
                    pass
        for sock in socks:
            sock.close()

    threading.Thread(target=run, daemon=True).start()
    return "ok"


def calm():
    for stop in pouring:
        stop.set()
    pouring.clear()
    return "ok"


# Packets that no socket would send.

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(src, dst, proto, body, ttl=64, flags=0, ident=1):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident, flags, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def raw(ns, src, dst, proto, body):
    """An IPv4 packet with the given payload (hexadecimal)."""
    with make(ns, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(ip_packet(src, dst, int(proto), bytes.fromhex(body)), (dst, 0))
    return "ok"


def fragments(ns, src, dst, size, order):
    """A datagram in fragments of 800 bytes: "reversed", "headless" (no first one), "duplicated" or "overlapping"."""
    (saddr, sport), (daddr, dport) = endpoint(src), endpoint(dst)
    body = struct.pack("!HHHH", sport, dport, 8 + int(size), 0) + payload(int(size))
    parts = []
    for at in range(0, len(body), 800):
        more = 0x2000 if at + 800 < len(body) else 0
        parts.append(ip_packet(saddr, daddr, 17, body[at:at + 800], flags=more | at // 8))
    across = ip_packet(saddr, daddr, 17, body[400:1200], flags=0x2000 | 400 // 8)
    parts = {"reversed": parts[::-1], "headless": parts[1:], "duplicated": parts + parts[:1],
             "overlapping": parts[:1] + [across] + parts[1:]}[order]
    with make(ns, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for part in parts:
            sock.sendto(part, (daddr, 0))
    return "ok"


def heads(ns, src, dst, count):
    """First fragments of COUNT datagrams, whose others never come."""
    (saddr, sport), (daddr, dport) = endpoint(src), endpoint(dst)
    body = struct.pack("!HHHH", sport, dport, 4008, 0) + payload(1392)
    with make(ns, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for ident in range(int(count)):
            sock.sendto(ip_packet(saddr, daddr, 17, body, flags=0x2000, ident=ident), (daddr, 0))
    return "ok"


def segment(ns, src, dst, seq, flags):
    """A TCP segment without data."""
    (saddr, sport), (daddr, dport) = endpoint(src), endpoint(dst)
    body = struct.pack("!HHIIBBHHH", sport, dport, int(seq), 0, 0x50, int(flags), 1024, 0, 0)
    pseudo = socket.inet_aton(saddr) + socket.inet_aton(daddr) + struct.pack("!HH", 6, len(body))
    return raw(ns, saddr, daddr, 6, (body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]).hex())


def icmp_error(ns, src, dst, kind, code, rest, proto, quoted_src, quoted_dst, cut="28", broken="0", extension=""):
    """An ICMP error from SRC to DST that quotes CUT bytes of a packet, and goes on with an EXTENSION (RFC 4884)
    behind 128 bytes."""
    qsrc, qdst = endpoint(quoted_src), endpoint(quoted_dst)
    if proto == "udp":
        number, body = 17, struct.pack("!HHHH", qsrc[1], qdst[1], 72, 0) + payload(64)
    elif proto == "tcp":
        number, body = 6, struct.pack("!HHIIBBHHH", qsrc[1], qdst[1], 1, 0, 0x50, 2, 512, 0, 0)
    else:
        number, body = 1, struct.pack("!BBHHH", 8, 0, 0, qsrc[1], 1) + payload(56)
    quote = ip_packet(qsrc[0], qdst[0], number, body, flags=0x4000)[:int(cut)]
    if extension:
        quote = quote.ljust(128, b"\0")
    message = struct.pack("!BBHI", int(kind), int(code), 0, int(rest)) + quote + bytes.fromhex(extension)
    mended = checksum(message) ^ int(broken)
    message = message[:2] + struct.pack("!H", mended) + message[4:]
    return raw(ns, src, dst, 1, message.hex())


def mark(ns, iface):
    """A frame that nobody but a capture heeds: what came before it was captured before it."""
    with make(ns, socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((iface, 0))
        sock.send(b"\x02" * 12 + struct.pack("!H", MARKER) + bytes(46))
    return "ok"


COMMANDS = {
    "sysctl": sysctl, "listening": listening, "serve": serve, "heard": heard_by, "ask": ask, "open": open_, "say": say, "tell": tell,
    "hear": hear, "close": close, "close-all": close_all, "flood": flood, "segments": segments, "pour": pour,
    "calm": calm, "raw": raw, "segment": segment, "fragments": fragments, "heads": heads, "icmp-error": icmp_error,
    "mark": mark, "burst": burst, "volley": volley, "stream": stream, "streamed": streamed, "set": set_, "reset": reset,
    "join": join, "sender": sender, "received": received, "snmp": snmp, "crowd": crowd, "occupy": occupy,
    "vacate": vacate,
}


def answer(words):
    try:
        return COMMANDS[words[0]](*words[1:])
    except TimeoutError:
        return "timeout"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Exception as error:  # a mistake in a test must not look like a hang
        return f"agent: {type(error).__name__}: {error}"


for line in sys.stdin:
    print(answer(line.split()), flush=True)
