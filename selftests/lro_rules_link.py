# SPDX-License-Identifier: GPL-2.0
"""Links into and out of the gateway: bursts into one poll of its receiver, and what is seen behind its GRO.

A receiver that holds packets for a while is asleep for that time after a poll, and then gets all that has come
in one go. /sys must be that of the gateway."""
import os
import select
import socket
import struct
import time

from lro_rules_packet import TCP

HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
NEWNET = 0x40000000
SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING = 263, 15, 4
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
MARKER = 0x88B5  # an EtherType for local experiments
NEEDS_CSUM = 1
GSO = {0: "", 1: "TCPv4", 4: "TCPv6"}


def within(ns, function, *args):
    target = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    try:
        os.setns(target, NEWNET)
        return function(*args)
    finally:
        os.setns(HOME, NEWNET)
        os.close(target)


def packet_socket(ns, iface, proto):
    sock = within(ns, socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((iface, proto))
    return sock


class Seen:
    """A packet as it was captured."""

    def __init__(self, data, when):
        flags, gso, _, self.gso_size, start, offset = struct.unpack("=BBHHHH", data[:10])
        self.when = when
        self.gso = GSO.get(gso, f"gso type {gso:#x}")
        # Where the checksum is that the device is to make, from the IP header on.
        self.partial = (start - 14, offset) if flags & NEEDS_CSUM else None
        self.ethertype, = struct.unpack("!H", data[22:24])
        self.packet = data[24:]

    @property
    def src(self):
        """Of what can be none of ours, nothing."""
        if self.ethertype == ETH_P_IP:
            return socket.inet_ntop(socket.AF_INET, self.packet[12:16])
        if self.ethertype == ETH_P_IPV6:
            return socket.inet_ntop(socket.AF_INET6, self.packet[8:24])
        return ""


    @property
    def stream(self):
        """Of TCP: the ports, and from where to where its bytes go. As if nothing could be amiss."""
        if self.ethertype == ETH_P_IP:
            at = (self.packet[0] & 15) * 4
        else:
            at = 40 if self.packet[6] == TCP else 48
        source, destination, seq, _, offset = struct.unpack("!HHIIB", self.packet[at:at + 13])
        return (source, destination), seq, seq + len(self.packet) - at - (offset >> 4) * 4

    @property
    def segments(self):
        """How many it will be cut into."""
        if not self.gso_size:
            return 1
        _, begin, end = self.stream
        return -(-(end - begin) // self.gso_size)


class Capture:
    """What comes in by an interface."""

    def __init__(self, ns, iface):
        self.sock = packet_socket(ns, iface, ETH_P_ALL)
        self.mac = self.sock.getsockname()[4]

    def next(self, deadline):
        """The next packet, or None."""
        while select.select([self.sock], [], [], max(0, deadline - time.monotonic()))[0]:
            data, stamps, _, source = self.sock.recvmsg(1 << 17, 256)
            if source[2] != PACKET_OUTGOING:
                seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
                return Seen(data, seconds + nanoseconds / 1e9)
        return None


class Link:
    """A way into the gateway, by a device in one of the modes."""

    def __init__(self, mode, number, client, gateway):
        self.mode, self.number, self.held = mode, number, 0
        self.device = f"lan{number}"
        self.out = packet_socket(client, f"eth{number}", 0)
        self.near = Capture(gateway, self.device)
        self.ether = self.near.mac + self.out.getsockname()[4]
        self.serial = 0

    def source(self, family):
        return f"10.0.{self.number}.2" if family == 4 else f"2001:db8:a{self.number}::2"

    def hold(self, milliseconds):
        """How long the receiver sleeps after a poll."""
        if self.held != milliseconds:
            self.held = milliseconds
            self.write("gro_flush_timeout", milliseconds * 1000000)
            self.write("napi_defer_hard_irqs", 1)

    def write(self, name, value):
        with open(f"/sys/class/net/{self.device}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def frame(self, packet):
        kind = ETH_P_IP if packet.family == 4 else ETH_P_IPV6
        at = 14 + packet.transport_at
        start, offset = (at, 16) if packet.partial else (0, 0)
        # That much is not in pages, if it is anything at all.
        vnet = struct.pack("=BBHHHH", NEEDS_CSUM * packet.partial, 0, packet.paged, 0, start, offset)
        return vnet + self.ether + struct.pack("!H", kind) + packet.packet()

    def mark(self, wait):
        """Sends a packet that GRO has no interest in. Returns it as it came out of a poll, and what came before."""
        self.serial += 1
        word = struct.pack("!HI", MARKER, self.serial)
        self.out.send(bytes(10) + self.ether + word + bytes(42))
        before, deadline = [], time.monotonic() + wait
        while seen := self.near.next(deadline):
            if seen.ethertype == MARKER and seen.packet[:4] == word[2:]:
                return seen, before
            before.append(seen)
        raise TimeoutError(f"{self.device} does not receive")

    def burst(self, packets, wait):
        """All into one poll; true if they may have been too late for it."""
        frames = [self.frame(packet) for packet in packets]
        marker, _ = self.mark(wait)
        for frame in frames:
            self.out.send(frame)
        # The receiver is polled again when it has slept.
        return time.time() - marker.when > 0.8 * self.held / 1000
