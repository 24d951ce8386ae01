# SPDX-License-Identifier: GPL-2.0
"""Makes requests from the netlink specification, good and bad ones; for fuzz.py."""
import random
import struct

from fuzz_spec import ACK, DUMP, ECHO, KIND, NESTED, NET_ORDER, NUMBERS, REQUEST, attr, split, Malformed

# Small, so that requests meet each other's objects and the traffic.
NAMES = ["p0", "p1", "p2", "lan0", "wan0", "lo"]
ADDRESSES = [bytes(map(int, text.split("."))) for text in (
    "10.0.0.0 10.0.0.2 10.0.0.3 192.0.2.1 192.0.2.2 203.0.113.0 203.0.113.1 203.0.113.2 203.0.113.9 203.0.113.200 "
    "127.0.0.1 0.0.0.0 10.0.0.255 224.0.0.1 255.255.255.255").split()]
SMALL = {1: [6, 17, 1, 24, 32, 8, 0, 33, 255], 2: [53, 80, 1024, 2000, 5000, 0, 1, 65535],
         4: [1, 2, 3, 4, 5, 60, 1000, 0, 1 << 16, 1 << 31, (1 << 32) - 1], 8: [0, 1, 1 << 32]}
# Settings take memory as they say: not more than a test machine has to spare, most of the time.
COSTLY = 1 << 20


class Dice(random.Random):
    def often(self, percent):
        return self.random() * 100 < percent

    def early(self, row):
        """The first of a row come up more often."""
        return row[int(len(row) * self.random() ** 2)]


class Maker:
    """Requests of (number, value) attributes. What was accepted is altered and sent again, and a refusal that
    tells what is missing or wrong is listened to: so the maker need not know what makes sense."""

    def __init__(self, spec, kinds, dice, most=10):
        self.spec, self.kinds, self.dice, self.most = spec, kinds, dice, most
        self.corpus, self.needed, self.retry = {}, {}, None
        self.modes = [(op, mode) for op in spec.ops for mode in op.request]
        self.request, self.state = None, {}

    # ---- values ----

    def number(self, attribute):
        dice = self.dice
        if attribute.names:
            return dice.choice(list(attribute.names))
        if dice.often(15):
            bounds = [attribute.low, attribute.low + 1, attribute.high, attribute.high - 1]
            bounds = [bound for bound in bounds if bound <= COSTLY or dice.often(5)] or bounds
            return dice.choice(bounds)
        fitting = [value for value in SMALL[attribute.size] if attribute.low <= value <= attribute.high]
        return dice.early(fitting or [attribute.low])

    def text(self, attribute):
        dice = self.dice
        if dice.often(10) and attribute.max_len:
            return dice.choice(["x" * attribute.max_len, "", "ü", "a b", "%s%n"]).encode()[:attribute.max_len] + b"\0"
        return dice.early(NAMES).encode() + b"\0"

    def inside(self, attribute):
        members = [member for member in self.spec.sets[attribute.inside].values() if self.dice.often(85)]
        members += [member for member in members if member.multi for _ in range(self.dice.choice([0, 0, 1, 2, 15]))]
        return b"".join(self.attribute(member) for member in members)

    def one_of(self, attribute):
        """An object such as was accepted alone; without its key, since that is taken."""
        kind = self.kinds.get(self.spec.parents.get(attribute.inside))
        if not kind or self.dice.often(20):
            return b""
        items = [(member, value) for member, value in self.accepted(kind.add, "do") or [] if member.name not in kind.key]
        if self.dice.often(15):
            self.alter(items, [self.spec.attribute(kind.name, name) for name in kind.add.request["do"]], self.state)
        return self.body(kind.add, items)[4:]

    def value(self, attribute, state=None):
        known, seen = self.known(attribute, state), self.spec.seen.get(attribute.like)
        if known and self.dice.often(80):
            return self.dice.choice(known)
        if seen and self.dice.often(15 if attribute.type in NUMBERS else 40):
            return self.dice.choice(seen)
        if attribute.type in NUMBERS:
            return attribute.pack(self.number(attribute))
        if attribute.type == "string":
            return self.text(attribute)
        if attribute.type == "nest":
            return self.one_of(attribute) or self.inside(attribute)
        if attribute.type == "flag":
            return b""
        if attribute.exact == 4:
            return self.dice.early(ADDRESSES)
        return self.dice.randbytes(attribute.exact or self.dice.choice([0, 1, 4, attribute.max_len or 16]))

    def known(self, attribute, state):
        """The keys of the objects that an attribute refers to by its name."""
        kind = self.kinds.get(attribute.name)
        if not state or not kind or attribute.type == "nest" or len(kind.key) != 1:
            return []
        pack = attribute.pack if attribute.type in NUMBERS else lambda text: text.encode("latin-1") + b"\0"
        return [pack(key[0]) for key in state[kind.name]]

    def attribute(self, attribute):
        return attr(attribute.number | (NESTED if attribute.type == "nest" else 0), self.value(attribute))

    # ---- requests ----

    def items(self, op, mode, state):
        """Good ones, as (attribute, value)."""
        dice, before = self.dice, self.accepted(op, mode)
        members = [self.spec.attribute(op.space, name) for name in op.request[mode]]
        if before and dice.often(50):
            items = list(before)
            for _ in range(dice.choice([0, 1, 1, 2, 4])):
                self.alter(items, members, state)
        else:
            share, needed = dice.choice([0, 8, 20, 50]), self.needed.get(op.name, set())
            items = [(member, self.value(member, state)) for member in members
                     if dice.often(95 if member.number in needed else share)]
        kind = self.kinds.get(op.space)
        if kind and op is kind.delete and state[kind.name] and dice.often(75):
            items = kind.pack(dice.choice(sorted(state[kind.name], key=str)), self.spec)
        for member, value in list(items):
            while member.multi and dice.often(40) and len(items) < 40:
                items.append((member, self.value(member, state)))
        return items

    def accepted(self, op, mode):
        """A request that was accepted, or None; what is easily accepted does not crowd out the rest."""
        kept = self.corpus.get((op.name, mode))
        return kept and self.dice.choice(self.dice.choice(list(kept.values())))

    def alter(self, items, members, state):
        if not members:
            return
        if items and self.dice.often(30):
            items.pop(self.dice.randrange(len(items)))
            return
        member = self.dice.choice(members)
        items[:] = [item for item in items if item[0] is not member] + [(member, self.value(member, state))]

    def choose(self, state):
        weights = []
        full = {name for name, objects in state.items() if name in self.kinds and len(objects) >= self.most}
        for op, mode in self.modes:
            kind = self.kinds.get(op.space)
            if self.spec.several(op)[0] in full:
                weights.append(0)
            elif kind and op is kind.add:
                weights.append(1 if op.space in full else 6)
            elif kind and op is kind.delete:
                weights.append(6 if op.space in full else 2)
            else:
                weights.append(4 if op.verb == "set" else 2 if op.request[mode] else 1)
        return self.dice.choices(self.modes, weights)[0]

    def next(self, state):
        """(operation, mode, flags, the generic header and the attributes)."""
        self.state = state
        if self.retry:
            (op, mode, items), self.retry = self.retry, None
            self.request = op, mode, items
            return op, mode, REQUEST | ACK, self.body(op, items)
        dice = self.dice
        op, mode = self.choose(state)
        items = self.items(op, mode, state)
        self.request = op, mode, items
        flags = REQUEST | (DUMP if mode == "dump" else ACK)
        body = self.body(op, items)
        if dice.often(25):
            self.request = None
            for _ in range(dice.choice([1, 1, 2])):
                body = self.spoil(op, body)
            if dice.often(15):
                flags ^= dice.choice([DUMP, ACK, ECHO, 0x100, 0x800])
        return op, mode, flags, body

    def body(self, op, items):
        kinds = [(member.number | (NESTED if member.type == "nest" else 0), value) for member, value in items]
        return struct.pack("=BBH", op.number, self.spec.version, 0) + b"".join(attr(*item) for item in kinds)

    def learn(self, answer):
        """From the answer to the request made last, which nobody spoiled."""
        if not self.request:
            return
        (op, mode, items), dice = self.request, self.dice
        if not answer.code:
            choices = tuple(item for item in items if item[0].names)
            kept = self.corpus.setdefault((op.name, mode), {}).setdefault(choices, [])
            kept.append(items)
            if len(kept) > 8:
                kept.pop(dice.randrange(8))
        elif answer.missing is not None and answer.missing in self.spec.sets[op.space]:
            member = self.spec.sets[op.space][answer.missing]
            # Asked for by every request of the operation, or only by some: half of the time will do.
            self.needed.setdefault(op.name, set()).add(member.number)
            if dice.often(90):
                self.retry = op, mode, items + [(member, self.value(member, self.state))]
        elif answer.offset is not None and items and dice.often(93):
            at, kept = 16 + 4, []
            for member, value in items:
                blamed = at <= answer.offset < at + 4 + len(value)
                at += (4 + len(value) + 3) & ~3
                if not blamed:
                    # The fault may be in how two of them go together.
                    kept.append((member, value if dice.often(92) else self.value(member, self.state)))
                elif dice.often(40):
                    kept.append((member, self.value(member, self.state)))
            self.retry = op, mode, kept

    # ---- what is wrong with bad ones ----

    def spoil(self, op, body):
        """Spoils one attribute, or the row of them, or the header. Some of it the kernel may well accept."""
        dice = self.dice
        head, rest = bytearray(body[:4]), body[4:]
        try:
            row = [(kind, value, None) for _, kind, value in split(rest)]
        except Malformed:
            return body + dice.randbytes(4)
        what = dice.randrange(12)
        if what == 0:
            head[dice.randrange(1, 4)] ^= 1 << dice.randrange(8)
        elif what == 1:
            row.append((dice.choice([0, 1, 20, 31, 64, 0x3FFF, dice.randrange(1 << 16)]), dice.randbytes(dice.choice([0, 4])), None))
        elif what == 2:
            outside = dice.choice(list(self.spec.sets[op.space].values()))
            row.append((outside.number, self.value(outside), None))
        elif row:
            place = dice.randrange(len(row))
            row[place:place + 1] = self.spoiled(op, what, *row[place])
        if dice.often(10):
            dice.shuffle(row)
        tail = dice.randbytes(dice.randrange(1, 8)) if what == 3 else b""
        return bytes(head) + b"".join(attr(*item) for item in row) + tail

    def spoiled(self, op, what, kind, value, length):
        dice, attribute = self.dice, self.spec.sets[op.space].get(kind & KIND)
        if what == 4:
            return [(kind ^ NESTED, value, length)]
        if what == 5:
            return [(kind ^ NET_ORDER, value, length)]
        if what == 6:
            return [(kind, value, length)] * 2
        if what == 7:
            return [(kind, value, dice.choice([0, 1, 3, 4 + len(value) + dice.randrange(-3, 9), 0xFFFF]))]
        if what == 8:
            return [(kind, value[:dice.randrange(len(value) + 1)], length)]
        if what == 9:
            return [(kind, value + dice.randbytes(dice.choice([1, 4, 30, 300])), length)]
        if what == 10 and attribute and attribute.type in NUMBERS:
            beyond = [attribute.low - 1, attribute.high + 1, attribute.roof, attribute.floor]
            return [(kind, attribute.pack(dice.choice(beyond)), length)]
        return [(kind, dice.randbytes(len(value)), length)]

    # ---- raw messages ----

    def raw(self, genl, state):
        """A datagram of messages, mangled; all of them still are of our family, or of no family at all."""
        dice, out = self.dice, b""
        for _ in range(dice.choice([1, 1, 1, 2, 3, 8])):
            op, _, flags, body = self.next(state)
            self.request = self.retry = None
            if dice.often(20):
                body = dice.randbytes(dice.randrange(60))
            elif dice.often(30):
                body = bytes([dice.randrange(256)]) + body[1:]
            out += genl.message(body, flags if dice.often(70) else dice.randrange(1 << 16) | dice.choice([0, REQUEST, REQUEST | ACK]))
            out += bytes(-len(out) % 4)
        out = bytearray(out)
        for _ in range(dice.choice([0, 1, 1, 2, 6])):
            out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
        if dice.often(20):
            lengths = [0, 15, 16, 17, 19, 20, len(out) - 1, len(out) + 1, 1 << 31, dice.randrange(1 << 8)]
            struct.pack_into("=I", out, 0, dice.choice(lengths))
        if dice.often(20):
            del out[dice.randrange(len(out)) + 1:]
        return self.tame(out, genl.family)

    def tame(self, out, family):
        at = 0
        while at + 16 <= len(out):
            length, = struct.unpack_from("=I", out, at)
            struct.pack_into("=H", out, at + 4, family if self.dice.often(95) else self.dice.randrange(16))
            if not 16 <= length <= len(out) - at:
                break
            at += (length + 3) & ~3
        return bytes(out)
