# SPDX-License-Identifier: GPL-2.0
"""Who sends the requests, and what is looked at afterwards; for fuzz.py."""
import errno
import os
import threading
import time
from collections import Counter, deque

from fuzz_make import Maker
from fuzz_model import Model, Violation
from fuzz_spec import ACK, DUMP, DUMP_INTR, HEADERS, REQUEST, Genl, messages, places

STUCK = 60  # seconds; a request sleeps for a grace period or two
LATE = 5  # seconds within which an event has to follow those that overtook it
VERBOSE = "FUZZ_VERBOSE" in os.environ  # each request before it is sent, for guests that die


def stacks(process):
    """Where in the kernel the threads of a process are."""
    text = ""
    for task in os.listdir(f"{process}/task"):
        for file in ("stat", "stack"):
            with open(f"{process}/task/{task}/{file}", encoding="ascii") as lines:
                text += lines.read()
    return text


class Watch(threading.Thread):
    """Reports a request that the kernel does not return from."""

    def __init__(self, stuck):
        super().__init__(daemon=True)
        self.stuck, self.since, self.sent, self.me = stuck, time.monotonic(), b"", threading.get_native_id()
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(1):
            if time.monotonic() - self.since > STUCK and self.sent:
                self.stuck(f"the kernel does not return\n{stacks('/proc/self')}")
                os._exit(1)

    def sending(self, data):
        self.since, self.sent = time.monotonic(), data

    def done(self):
        self.sent = b""

    def end(self):
        """Before a fork: a child has no other threads."""
        self.over.set()
        self.join()


class Player:
    """Somebody who sends requests, from one socket or several, in one namespace."""

    def __init__(self, spec, dice, netns=None, stuck=None):
        self.spec, self.dice, self.netns = spec, dice, netns
        self.model = Model(spec)
        self.maker = Maker(spec, self.model.kinds, dice)
        self.genl = Genl(spec, netns)
        self.state, self.number, self.events, self.late, self.recent = {}, 0, 0, 0, deque(maxlen=8)
        self.sums, self.codes = Counter(), Counter()
        self.watch = Watch(stuck or self.report)

    def report(self, what):
        lines = [*what.splitlines(), "what was sent before, and last:"]
        for number, sent in self.recent:
            lines += [f"request {number}: {self.spec.describe(sent)}", f"  {sent.hex()}"]
        print("\n".join(f"# {line}" for line in lines), flush=True)

    def send(self, data):
        self.number += 1
        self.recent.append((self.number, data))
        if VERBOSE:
            print(f"# {self.number} {data.hex()} {self.spec.describe(data)}", flush=True)
        self.watch.sending(data)
        try:
            self.genl.sock.send(data)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:  # nobody answers what is no request
                raise

    def explained(self, op, answer, data):
        """The kernel itself has no words for an operation that there is not."""
        if answer.code and not answer.explained and answer.code != errno.EOPNOTSUPP:
            raise Violation(f"{op.name}: {errno.errorcode.get(answer.code, answer.code)} without a word")
        if answer.offset is not None and answer.offset - HEADERS not in places(data[HEADERS:]):
            raise Violation(f"the attribute at fault is said to be at {answer.offset}, where none begins")

    def request(self):
        """One request, possibly spoiled, and its answer."""
        op, _, flags, body = self.maker.next(self.state)
        data = self.genl.message(body, flags)
        self.send(data)
        answers = self.genl.answers(self.genl.drain(), data)
        answer = answers.pop(self.genl.seq, None)
        if answers:
            raise Violation("answers to nothing that was asked")
        if not answer or answer.code is None:
            if flags & (ACK | DUMP):
                raise Violation("no answer, or a list without end")
            return op, flags, body, answer
        self.sums[op.name, not answer.code] += 1
        self.codes[errno.errorcode.get(answer.code, answer.code)] += 1
        if VERBOSE:
            print(f"#   {answer.code} {answer.message} {answer.entries if op.kind != op.space else ''}", flush=True)
        self.explained(op, answer, data)
        self.maker.learn(answer)
        return op, flags, body, answer

    def raw(self):
        data = self.maker.raw(self.genl, self.state)
        self.send(data)
        self.sums["raw", len(self.genl.answers(self.genl.drain(), data, unique=False)) > 0] += 1
        return data

    def summary(self):
        names = sorted({name for name, _ in self.sums})
        return (f"{self.number} requests; accepted of " + ", ".join(
            f"{name} {self.sums[name, True]}/{self.sums[name, True] + self.sums[name, False]}" for name in names)
            + "; answers: " + ", ".join(f"{code} {count}" for code, count in self.codes.most_common())
            + f"; events: {self.events}, {self.late} of them out of order")


class Alone(Player):
    """The only one who changes anything: the model says what has to come of it."""

    def __init__(self, *args):
        super().__init__(*args)
        self.listener, self.last, self.missing = Genl(self.spec, self.netns), {}, {}

    def begin(self):
        if sorted(self.spec.group_numbers) != sorted(self.spec.groups):
            raise Violation(f"multicast groups: {sorted(self.spec.group_numbers)}, not {sorted(self.spec.groups)}")
        self.listener.join()
        self.state = self.model.snapshot(self.genl)

    def leave(self):
        """Open sockets would keep the namespace alive."""
        self.watch.end()
        self.genl.sock.close()
        self.listener.sock.close()

    def step(self):
        before = self.state
        if self.dice.often(25):
            data = self.raw()
            self.state = self.model.snapshot(self.genl)
            changed = any(self.may_change(*message) for message in messages(data, lenient=True))
            if not changed:
                self.model.same(before, self.state)
        else:
            op, flags, body, answer = self.request()
            self.state = self.model.snapshot(self.genl)
            self.check(before, flags, body, answer)
        self.watch.done()
        self.listen()

    def may_change(self, kind, flags, _, body):
        if kind != self.genl.family or not flags & REQUEST or len(body) < 4:
            return False
        op, values, wrong, _ = self.model.judge(self.state, flags, body)
        # Another message of the datagram may have made right what is wrong of the state as it is now.
        return op is not None and values is not None and (not wrong or op.space in self.model.kinds or self.spec.several(op)[0])

    def check(self, before, flags, body, answer):
        op, values, wrong, right = self.model.judge(before, flags, body)
        if answer and answer.code:
            if right and answer.code != errno.ENOMEM:
                raise Violation(f"refused, though nothing is wrong: {answer.code} {answer.message}")
        elif wrong and answer:
            raise Violation(f"accepted, in spite of: {wrong}")
        elif values is not None and not wrong and (answer or self.state != before):
            self.model.after(before, self.state, op, values, answer)
            return
        self.model.same(before, self.state)

    def torn(self, kind=None, change=None):
        """A list is read in pieces while a request is made."""
        kind, before = kind or self.dice.choice(list(self.model.kinds.values())), self.state
        slow = Genl(self.spec, self.netns)
        slow.sock.send(slow.command(kind.get.name, flags=REQUEST | DUMP))
        first = slow.sock.recv(4096)  # no later piece is larger
        (change or self.step)()
        answer = slow.answers([*messages(first), *slow.drain()]).get(slow.seq)
        slow.sock.close()
        if not answer or answer.code is None:
            raise Violation(f"{kind.get.name} does not end if it is read slowly")
        if not answer.code and not answer.flags & DUMP_INTR:
            mortal = {key for name, key in self.model.mortal if name == kind.name}
            found = kind.objects([entry for _, entry in answer.entries]).keys() - mortal
            if found not in (before[kind.name].keys() - mortal, self.state[kind.name].keys() - mortal):
                raise Violation(f"{kind.get.name} in pieces lists neither what was nor what is: {found}")
        self.sums["pieces", bool(answer.flags & DUMP_INTR)] += 1

    def heap(self):
        """So many objects that a list of them comes in pieces; made like one that was accepted before."""
        kind = self.dice.choice(list(self.model.kinds.values()))
        done = self.maker.accepted(kind.add, "do")
        if not done:
            return
        before = set(self.state[kind.name])
        items = [(member, value) for member, value in done if member.name not in kind.key]
        for number in range(100):
            named = [(member, b"n%d\0" % number) for member in kind.attributes(self.spec) if member.type == "string"]
            self.send(self.genl.command(kind.add.name, self.maker.body(kind.add, items + named)[4:]))
            self.genl.drain()
        self.state = self.model.snapshot(self.genl)
        more = sorted(self.state[kind.name].keys() - before, key=str)
        self.dice.shuffle(more)
        while more:
            if len(more) > 90:
                self.torn(kind, lambda: self.remove(kind, more.pop()))
            else:
                self.send(self.removal(kind, more.pop()))
                self.genl.drain()
        self.state = self.model.snapshot(self.genl)
        self.watch.done()

    def removal(self, kind, key):
        return self.genl.command(kind.delete.name, self.maker.body(kind.delete, kind.pack(key, self.spec))[4:])

    def remove(self, kind, key):
        self.send(self.removal(kind, key))
        self.genl.drain()
        self.state = self.model.snapshot(self.genl)

    def listen(self):
        now = time.monotonic()
        try:
            for _, flags, _, body in self.listener.drain():
                op, values = self.spec.answer(flags, body)
                self.events += 1
                if "seq" in values:
                    self.numbered(op.group, values["seq"], now)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.last, self.missing = {}, {}
        if self.missing and now > min(self.missing.values()) + LATE:
            raise Violation(f"events that never came: {sorted(self.missing)}")

    def numbered(self, group, number, now):
        """Events of two processors may overtake each other, but none may be missing."""
        last = self.last.get(group, number - 1)
        if self.missing.pop((group, number), None):
            self.late += 1
        elif number <= last:
            raise Violation(f"event {number} of {group} comes after {last}")
        self.missing.update({(group, between): now for between in range(last + 1, number)})
        self.last[group] = max(last, number)

    def play(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.dice.choices([self.step, self.torn, self.heap], [955, 40, 5])[0]()
        if self.number > 500 and not any(self.sums[kind.add.name, True] for kind in self.model.kinds.values()):
            raise Violation("nothing was ever accepted: the fuzzer is of no use")

    def clear(self):
        """Deletes everything; what is left is 0."""
        for _ in range(len(self.model.kinds) + 1):
            for kind in self.model.kinds.values():
                for key in self.state[kind.name]:
                    self.genl.ask(self.removal(kind, key))
            self.state = self.model.snapshot(self.genl)
        if any(self.state[name] for name in self.model.kinds):
            raise Violation(f"what cannot be deleted: {self.state}")


class Member(Player):
    """One of many: whatever the others do, answers are well-formed, explained, and come."""

    def play(self):
        dumps = [op.name for op in self.spec.ops if "dump" in op.request]
        half_read = deque(maxlen=3)
        while True:
            if self.number % 25 == 0:
                self.state = {kind.name: kind.objects([]) for kind in self.model.kinds.values()}
                for kind in self.model.kinds.values():
                    entries = self.genl.list(kind.get.name)[0]
                    entries = [entry for entry in entries if None not in kind.key_of(entry)]
                    self.state[kind.name] = {kind.key_of(entry): entry for entry in entries}
            if self.dice.often(8):
                # Forgotten sooner or later, half read.
                other = Genl(self.spec, self.netns)
                other.sock.send(other.command(self.dice.choice(dumps), flags=REQUEST | DUMP))
                other.sock.recv(self.dice.choice([16, 512, 4096]))
                half_read.append(other)
            elif self.dice.often(4):
                self.genl.sock.send(self.genl.message(self.maker.next(self.state)[3]))
                self.genl.sock.close()
                self.genl = Genl(self.spec, self.netns)
            elif self.dice.often(30):
                self.raw()
            else:
                self.request()
            self.watch.done()
