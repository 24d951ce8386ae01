# SPDX-License-Identifier: GPL-2.0
"""The rules of mode lro once more, as plainly as can be, and random bursts to hold the module to them."""
import random

from lro_rules_cases import ANY, BOTH_WAYS, Case, spelled
from lro_rules_packet import ACK, CWR, ECE, FIN, HOP_BY_HOP, PSH, RST, SYN, TCP, UDP, URG, timestamps

STAMPS = len(timestamps(0, 0))
# What a segment may have that its neighbours have not, for IPv4 and IPv6.
ODDITIES = [
    {"flags": 0}, {"flags": ACK | FIN}, {"flags": ACK | SYN}, {"flags": ACK | RST}, {"flags": ACK | PSH}, {"flags": ACK | URG},
    {"flags": ACK | ECE}, {"flags": ACK | CWR}, {"flags": ACK | PSH | FIN}, {"tos": 3}, {"tos": 2}, {"ttl": 63}, {"padding": 3},
    {"size": 0}, {"size": 1}, {"size": 150}, {"skip": 100}, {"skip": -100}, {"ack": 4000}, {"window": 1}, {"wrong": 4},
    {"options": b""}, {"options": timestamps(1, 1)}, {"options": b"\1" * 12}, {"proto": UDP}, {"partial": True},
]
ODDITIES_4 = [{"ident": 7}, {"df": False}, {"ip_options": b"\1" * 4}]
ODDITIES_6 = [{"extension": HOP_BY_HOP}]


def goes_back(old, new):
    return (new - old) & 0x80000000 != 0


def stamp(packet):
    return int.from_bytes(packet.options[4:8], "big")


def refused(packet):
    known = packet.options == b"" or len(packet.options) == STAMPS and packet.options[:4] == timestamps(0, 0)[:4]
    return (packet.padding or packet.ip_options or packet.extension is not None or packet.tos & 3 == 3
            or not packet.payload or packet.flags != ACK or not known)


def fits(held, packet):
    """May the packet join those held?"""
    first, last = held[0], held[-1]
    if (last.seq + len(last.payload) - packet.seq) & 0xFFFFFFFF or len(packet.payload) > len(first.payload):
        return False
    if len(packet.options) != len(last.options) or goes_back(last.ack, packet.ack):
        return False
    if packet.options and goes_back(stamp(last), stamp(packet)):
        return False
    if (packet.ttl, packet.tos) != (first.ttl, first.tos):
        return False
    return packet.family == 6 or fits4(held, packet)


def fits4(held, packet):
    """Identifications all count up or all are the same."""
    step = (packet.ident - held[0].ident) & 0xFFFF
    same = len(held) > 1 and held[1].ident == held[0].ident
    return packet.df == held[0].df and (step == 0 if same else step == len(held) or step == 0 and len(held) == 1)


def aggregated(packets, limit):
    """The numbers of the packets that come out of GRO together, in order."""
    out, held = [], {}

    def end(flow):
        if flow in held:
            out.append(held.pop(flow))

    for number, packet in enumerate(packets):
        flow = packet.ports
        if packet.proto != TCP:
            out.append([number])
        elif refused(packet) or packet.wrong:
            end(flow)
            out.append([number])
        elif flow in held and fits([packets[other] for other in held[flow]], packet):
            held[flow].append(number)
            if len(held[flow]) == limit or len(packet.payload) < len(packets[held[flow][0]].payload):
                end(flow)
        else:
            end(flow)
            held[flow] = [number]
    return out + list(held.values())


class Random(Case):
    """A burst of up to three flows, made of a seed. The groups are those of its packets."""

    def __init__(self, seed, family, limit=16):
        dice = random.Random(f"{seed} {family}")
        flows, odd = dice.randint(1, 3), dice.choice((0.05, 0.2, 0.5))
        oddities = ODDITIES + (ODDITIES_4 if family == 4 else ODDITIES_6)
        every = {**dice.choice(({}, BOTH_WAYS)), "flow": lambda number: turns[number]}
        count = dice.randint(20, 60)
        turns = [dice.randrange(flows) for _ in range(count)]
        some = {number: dice.choice(oddities) for number in range(count) if dice.random() < odd}
        super().__init__(f"random burst {seed}", count, "", some=some, every=every, stock_reason=ANY, families=(family,))
        self.reasons["lro"] = ANY
        self.limit = limit

    def packets(self, **common):
        packets = super().packets(**common)
        self.groups["lro"] = spelled(aggregated(packets, self.limit))
        return packets
