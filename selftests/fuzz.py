#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Fuzzes fastnat's netlink family and checks the kernel against a model; driven by fuzz.sh, one line for a
command: `alone SECONDS NETNS`, `crowd SECONDS NETNS`, `clear NETNS`. The last line of an answer is ok or failed.

The specification says what there is: a set of attributes with operations -add, -del and -get makes a kind of
object, one with -get and -set makes settings. What -del asks for is the key of the object; an attribute with
the name of a kind refers to an object of it."""
import errno
import faulthandler
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque

from fuzz_make import Dice, Maker
from fuzz_spec import ACK, DUMP, DUMP_INTR, ECHO, HEADERS, HOME, NEWNET, NUMBERS, REQUEST, Genl, Malformed, Spec, messages, places

STUCK = 60  # seconds; a request sleeps for a grace period or two
GRACE = 10  # seconds in which what has a lifetime has to go
VERBOSE = "FUZZ_VERBOSE" in os.environ  # each request before it is sent, for guests that die


class Violation(Exception):
    """The kernel did what it must not do."""


class Kind:
    # Without this flag a binding is the work of packets, and comes and goes without any request.
    BY_REQUEST = {"binding": "static"}

    def __init__(self, spec, add, delete, get):
        self.name, self.add, self.delete, self.get = add.space, add, delete, get
        self.key = delete.request["do"]
        self.shown = [name for name in get.reply["dump"] if name in add.request["do"]]
        self.filter = self.BY_REQUEST.get(self.name)

    def objects(self, entries):
        entries = [entry for entry in entries if not self.filter or self.filter in entry]
        found = {tuple(entry.get(name) for name in self.key): {name: entry[name] for name in self.shown if name in entry}
                 for entry in entries}
        if len(found) != len(entries):
            raise Violation(f"{self.get.name}: two of one key: {entries}")
        return found

    def attributes(self, spec):
        return [spec.attribute(self.name, name) for name in self.key]

    def pack(self, key, spec):
        """The key as attributes of a request."""
        items = []
        for attribute, value in zip(self.attributes(spec), key):
            if attribute.type in NUMBERS:
                items.append((attribute, attribute.pack(value)))
            else:
                items.append((attribute, socket.inet_aton(value) if attribute.exact == 4 else value.encode("latin-1") + b"\0"))
        return items


class Model:
    """What the kernel has to say after a request, given what it said before."""

    def __init__(self, spec):
        self.spec, self.kinds, self.settings, self.mortal = spec, {}, {}, {}
        for space in {op.space: None for op in spec.ops}:
            ops = {op.verb: op for op in spec.ops if op.space == space and op.kind == space}
            if {"add", "del", "get"} <= ops.keys():
                self.kinds[space] = Kind(spec, ops["add"], ops["del"], ops["get"])
            elif {"get", "set"} <= ops.keys():
                self.settings[space] = ops["get"]

    def snapshot(self, genl):
        state = {}
        for kind in self.kinds.values():
            for _ in range(20):  # the tables may be resized while they are read
                entries, flags = genl.list(kind.get.name)
                if not flags & DUMP_INTR:
                    break
            else:
                raise Violation(f"{kind.get.name} is never of one piece, though nobody changes anything")
            state[kind.name] = kind.objects(entries)
            self.counted(kind, entries, state)
        for space, get in self.settings.items():
            answer = genl.ask(genl.command(get.name))
            if answer.code or len(answer.entries) != 1:
                raise Violation(f"{get.name}: {answer.code} {answer.message}, {len(answer.entries)} answers")
            state[space] = answer.entries[0][1]
        for name, kind in self.kinds.items():
            for other in self.refers(kind):
                for key, found in state[name].items():
                    if other in found and (found[other],) not in state[other]:
                        raise Violation(f"{name} {key} refers to a {other} that is not: {found[other]}")
        return state

    def counted(self, kind, entries, state):
        """An object says how many refer to it, in an attribute named for them."""
        for name, other in self.kinds.items():
            plural = name[:-1] + "ies" if name.endswith("y") else name + "s"
            if name not in state or kind.name not in other.shown:
                continue
            for entry in entries:
                count = sum(found.get(kind.name) == entry[kind.key[0]] for found in state[name].values())
                if entry.get(plural, count) != count:
                    raise Violation(f"{kind.name} {entry}: {plural} is not {count}")

    def refers(self, kind):
        return [name for name in kind.shown if name in self.kinds and len(self.kinds[name].key) == 1]

    def values(self, op, mode, body):
        """What a request asks for; raises Malformed if the specification does not allow it."""
        return self.spec.attributes(op.space, body[4:], op.request[mode], ours=True)

    def judge(self, state, flags, body):
        """(operation, attributes, why it has to be refused, whether it has to be accepted)"""
        op = self.spec.by_number.get(body[0])
        mode = "dump" if flags & DUMP == DUMP else "do"
        if not op or mode not in op.request:
            return op, None, "no such operation", False
        if flags & ~(REQUEST | ACK | ECHO | (DUMP if mode == "dump" else 0)):
            return op, None, "reserved flags", False
        if body[2:4] != b"\0\0":
            return op, None, "a reserved field", False
        try:
            values = self.values(op, mode, body)
        except Malformed as error:
            return op, None, str(error), False
        kind = self.kinds.get(op.space)
        if kind and op in (kind.add, kind.delete):
            return op, values, *self.sense(state, kind, op, values)
        return op, values, None, not any(op.request[mode]) or op.verb == "set"

    def sense(self, state, kind, op, values):
        key = tuple(values.get(name) for name in kind.key)
        known, given = key in state[kind.name], None not in key
        mortal = (kind.name, key) in self.mortal
        if op is kind.delete:
            wrong = None if mortal else "no key" if not given else "no such object" if not known else None
            used = any(found.get(kind.name) == key[0] for other in self.kinds.values() for found in state[other.name].values())
            return wrong, known and not used and not mortal
        if given and known and not mortal:
            return "the key is taken", False
        for name in self.refers(kind):
            if name in values and (values[name],) not in state[name]:
                return f"it refers to a {name} that is not", False
        return None, False

    def after(self, before, after, op, values, answer):
        """Raises a Violation if an accepted request had another effect than it said."""
        kind, want = self.kinds.get(op.space), {name: dict(objects) for name, objects in before.items()}
        if kind and op is kind.add:
            new = after[kind.name].keys() - before[kind.name].keys()
            if len(new) != 1:
                raise Violation(f"accepted, but {len(new)} objects are new: {sorted(new, key=str)}")
            key = new.pop()
            found = want[kind.name][key] = after[kind.name][key]
            self.agree(op.space, kind.shown, values, found)
            for _, entry in answer.entries:
                if any(entry[name] != found.get(name) for name in entry):
                    raise Violation(f"the reply says {entry}, the list {found}")
            if "lifetime" in values:
                self.mortal[kind.name, key] = time.monotonic() + values["lifetime"]
        elif kind and op is kind.delete:
            key = tuple(values[name] for name in kind.key)
            want[kind.name].pop(key, None)
            for other in self.kinds.values():
                for name, found in list(want[other.name].items()):
                    if kind.name in self.refers(other) and found.get(kind.name) == key[0]:
                        del want[other.name][name]
        elif op.verb == "set" and op.space in self.settings:
            self.agree(op.space, values, values, after[op.space])
            want[op.space].update({name: after[op.space][name] for name in values})
        self.same(want, after)

    def same(self, want, after):
        now = time.monotonic()
        for name, objects in want.items():
            for key in objects.keys() | after[name].keys():
                here, there = objects.get(key), after[name].get(key)
                deadline = self.mortal.get((name, key))
                if deadline and here and not there and now > deadline - 1:
                    del self.mortal[name, key]
                elif here != there:
                    raise Violation(f"{name} {key} is {there}, not {here}")
                elif deadline and now > deadline + GRACE:
                    raise Violation(f"{name} {key} has outlived its lifetime")
        self.mortal = {(name, key): deadline for (name, key), deadline in self.mortal.items() if key in after[name]}

    def agree(self, space, names, given, found):
        for name in names:
            attribute, asked, got = self.spec.attribute(space, name), given.get(name), found.get(name)
            if got is None:
                right = asked is None or self.neutral(attribute, asked)
            elif asked is None:
                right = str(got) == (attribute.default or str(got)) and got == found.get(attribute.same_as, got)
            elif attribute.type == "nest":
                for one, other in zip(asked, got) if attribute.multi else [(asked, got)]:
                    members = [member.name for member in self.spec.sets[attribute.inside].values()]
                    self.agree(attribute.inside, members, one, other)
                right = not attribute.multi or len(asked) == len(got)
            else:
                right = got == (1 << (asked - 1).bit_length() if attribute.rounded and asked else asked)
            if not right:
                raise Violation(f"{name} is {got}; it was set to {asked}")

    @staticmethod
    def neutral(attribute, value):
        """What means the same as nothing need not be listed."""
        return value in (0, "0.0.0.0", getattr(attribute, "roof", 0)) or str(value) == attribute.default

    def defaults(self, state):
        for space in self.settings:
            self.agree(space, [attribute.name for attribute in self.spec.sets[space].values()], {}, state[space])


class Watch(threading.Thread):
    """Reports a request that the kernel does not return from."""

    def __init__(self, report):
        super().__init__(daemon=True)
        self.report, self.since, self.sent, self.me = report, time.monotonic(), b"", threading.get_native_id()
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(1):
            if time.monotonic() - self.since > STUCK and self.sent:
                with open(f"/proc/self/task/{self.me}/stack", encoding="ascii") as stack:
                    self.report(f"the kernel does not return\n{stack.read()}", self.sent)
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

    def __init__(self, spec, dice, netns=None):
        self.spec, self.dice, self.netns = spec, dice, netns
        self.model = Model(spec)
        self.maker = Maker(spec, self.model.kinds, dice)
        self.genl = Genl(spec, netns)
        self.state, self.number, self.recent = {}, 0, deque(maxlen=8)
        self.sums, self.codes, self.silent = Counter(), Counter(), Counter()
        self.watch = Watch(self.report)

    def report(self, what, data=None):
        def show(number, sent):
            return f"request {number}: {self.spec.describe(sent)}\n  {sent.hex()}"
        lines = [*what.splitlines(), "what was sent before, and last:"]
        lines += [show(*item) for item in ([*self.recent] if data is None else [*self.recent, (self.number, data)])]
        print("\n".join(f"# {line}" for entry in lines for line in entry.splitlines()), flush=True)

    def send(self, data, genl=None):
        self.number += 1
        self.recent.append((self.number, data))
        if VERBOSE:
            print(f"# {self.number} {data.hex()} {self.spec.describe(data)}", flush=True)
        self.watch.sending(data)
        try:
            (genl or self.genl).sock.send(data)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:  # nobody answers what is no request
                raise

    def explained(self, op, answer, data):
        """The kernel itself has no words for an operation that there is not."""
        if answer.code and not answer.explained and answer.code not in (errno.EOPNOTSUPP, errno.EBUSY):
            self.silent[op.name, errno.errorcode.get(answer.code, answer.code)] += 1
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
            + "; answers: " + ", ".join(f"{code} {count}" for code, count in self.codes.most_common()))


class Alone(Player):
    """The only one who changes anything: the model says what has to come of it."""

    def __init__(self, *args):
        super().__init__(*args)
        self.listener = Genl(self.spec, self.netns)
        if sorted(self.listener.groups) != sorted(self.spec.groups):
            raise Violation(f"multicast groups: {sorted(self.listener.groups)}, not {sorted(self.spec.groups)}")
        self.listener.join()
        self.last, self.events = {}, 0
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
        return op is not None and values is not None and (not wrong or op.space in self.model.kinds)

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

    def torn(self):
        """A list is read in pieces while a request is made."""
        kind, before = self.dice.choice(list(self.model.kinds.values())), self.state
        slow = Genl(self.spec, self.netns)
        slow.sock.send(slow.command(kind.get.name, flags=REQUEST | DUMP))
        first = slow.sock.recv(8192)  # no later piece is larger
        self.step()
        answer = slow.answers([*messages(first), *slow.drain()]).get(slow.seq)
        slow.sock.close()
        if not answer or answer.code is None:
            raise Violation(f"{kind.get.name} does not end if it is read slowly")
        if not answer.code and not answer.flags & DUMP_INTR:
            found = kind.objects([entry for _, entry in answer.entries]).keys()
            if found not in (before[kind.name].keys(), self.state[kind.name].keys()):
                raise Violation(f"{kind.get.name} in pieces lists neither what was nor what is: {found}")
        self.sums["pieces", bool(answer.flags & DUMP_INTR)] += 1

    def heap(self):
        """So many objects that a list of them comes in pieces; made like one that was accepted before."""
        kind = self.dice.choice(list(self.model.kinds.values()))
        done = self.maker.corpus.get((kind.add.name, "do"))
        if not done:
            return
        before = set(self.state[kind.name])
        items = [(member, value) for member, value in self.dice.choice(done) if member.name not in kind.key]
        for number in range(150):
            named = [(member, b"n%d\0" % number) for member in kind.attributes(self.spec) if member.type == "string"]
            self.send(self.genl.command(kind.add.name, self.maker.body(kind.add, items + named)[4:]))
            self.genl.drain()
        self.state = self.model.snapshot(self.genl)
        for _ in range(3):
            self.torn()
        for key in sorted(self.state[kind.name].keys() - before, key=str):
            self.send(self.genl.command(kind.delete.name, self.maker.body(kind.delete, kind.pack(key, self.spec))[4:]))
            self.genl.drain()
        self.state = self.model.snapshot(self.genl)
        self.watch.done()

    def listen(self):
        try:
            for _, flags, _, body in self.listener.drain():
                op, values = self.spec.answer(flags, body)
                number = values.get("seq")
                if number is not None and number != self.last.get(op.group, number - 1) + 1 & 0xFFFFFFFF:
                    raise Violation(f"{op.name} has number {number} after {self.last[op.group]}")
                self.last[op.group], self.events = number, self.events + 1
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.last = {}

    def play(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.dice.choices([self.step, self.torn, self.heap], [95, 4, 1])[0]()
        if not any(self.sums[kind.add.name, True] for kind in self.model.kinds.values()):
            raise Violation("nothing was ever accepted: the fuzzer is of no use")

    def clear(self):
        """Deletes everything; what is left is 0."""
        for _ in range(len(self.model.kinds) + 1):
            for kind in self.model.kinds.values():
                for key in self.state[kind.name]:
                    self.genl.ask(self.genl.command(kind.delete.name, self.maker.body(kind.delete, kind.pack(key, self.spec))[4:]))
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
                    self.state[kind.name] = {tuple(entry.get(name) for name in kind.key): entry for entry in entries}
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


def loopback_traffic(dice):
    """In a namespace without links: packets from its loopback interface to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
        while True:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (f"127.0.0.{dice.randrange(1, 5)}", dice.choice([53, 80, 2000])))
            time.sleep(0.002)


class Crowd:
    """Several processes at once, in the namespace given and in others that die with them, and none dies in peace."""

    def __init__(self, spec, seed, netns):
        self.spec, self.seed, self.netns, self.made = spec, seed, netns, 0
        self.read, self.write = os.pipe()
        self.groups = {}  # leader -> when it has to die

    def fork(self, function, *args):
        child = os.fork()
        if child:
            return child
        try:
            function(*args)
        except (Violation, Malformed, OSError) as error:
            os.write(self.write, f"{type(error).__name__}: {error}".encode()[:500])
        except BaseException as error:  # a mistake of the fuzzer must not look like the kernel's silence
            os.write(self.write, f"fuzzer: {type(error).__name__}: {error}".encode()[:500])
            raise
        finally:
            os._exit(1)

    def member(self, name, netns):
        player = None
        try:
            player = Member(self.spec, Dice(f"{self.seed}-{name}"), netns)
            player.play()
        except (Violation, Malformed) as error:
            if player:
                player.report(f"FUZZ_SEED={self.seed}, {name} of the crowd: {error}")
            raise

    def group(self, number):
        os.setpgid(0, 0)
        if number % 2:
            os.unshare(NEWNET)
            self.fork(loopback_traffic, Dice(f"{self.seed}-traffic-{number}"))
        self.fork(self.member, f"second-{number}", None if number % 2 else self.netns)
        self.member(f"first-{number}", None if number % 2 else self.netns)

    def play(self, seconds):
        dice, end = Dice(f"{self.seed}-crowd"), time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                while len(self.groups) < 2:
                    self.made += 1
                    self.groups[self.fork(self.group, self.made)] = time.monotonic() + dice.uniform(0.5, 4)
                if select.select([self.read], [], [], 0.1)[0]:
                    raise Violation(os.read(self.read, 4096).decode())
                for leader in [leader for leader, when in self.groups.items() if when < time.monotonic()]:
                    self.kill(leader)
        finally:
            for leader in list(self.groups):
                self.kill(leader)
        return self.made

    def kill(self, leader):
        del self.groups[leader]
        try:
            os.killpg(leader, signal.SIGKILL)
        except ProcessLookupError:  # not yet a group, or no more
            os.kill(leader, signal.SIGKILL)
        deadline = time.monotonic() + STUCK
        while not os.waitpid(leader, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                raise Violation(f"process {leader} cannot be killed")
            time.sleep(0.01)


class Fuzzer:
    def __init__(self, spec, seed):
        self.spec, self.seed, self.alone = Spec(spec), seed, None

    def run(self, command, *args):
        """Runs one command of fuzz.sh; whether the kernel behaved."""
        player, netns = None, os.open(args[-1], os.O_RDONLY)
        try:
            if command == "crowd":
                made = Crowd(self.spec, self.seed, netns).play(float(args[0]))
                print(f"# {made} groups of processes", flush=True)
                return True
            player = Alone(self.spec, Dice(f"{self.seed}-{command}"), netns)
            if command == "clear":
                player.clear()
                return True
            if command == "new":
                player.model.defaults(player.state)
            player.play(float(args[0]))
        except (Violation, Malformed) as error:
            print(f"# FAIL: FUZZ_SEED={self.seed} {command}: {error}")
            if player:
                player.report("")
            return False
        finally:
            os.close(netns)
            if player:
                player.leave()
                print(f"# {player.summary()}; events: {player.events}", flush=True)
        return True


def main():
    faulthandler.enable()
    fuzzer = Fuzzer(*sys.argv[1:])
    for line in sys.stdin:
        try:
            good = fuzzer.run(*line.split())
        except Exception as error:  # a mistake in the fuzzer must not look like a hang
            print(f"# FAIL: fuzzer: {type(error).__name__}: {error}", flush=True)
            import traceback
            traceback.print_exc()
            good = False
        print("ok" if good else "failed", flush=True)


if __name__ == "__main__":
    main()
