# SPDX-License-Identifier: GPL-2.0
"""What fastnat has to say after a request, given what it said before; for fuzz.py.

The specification says what there is: a set of attributes with operations -add, -del and -get makes a kind of
object, one with -get and -set makes settings, one with -set, -del and -get settings of one object each, and of
those that have none of their own. What -del asks for is the key of the object; an attribute with the name of a
kind refers to an object of it."""
import socket
import time

from fuzz_spec import ACK, DUMP, DUMP_INTR, ECHO, NUMBERS, REQUEST, Malformed

GRACE = 10  # seconds in which what has a lifetime has to go


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
        found = {self.key_of(entry): {name: entry[name] for name in self.shown if name in entry}
                 for entry in entries}
        if len(found) != len(entries):
            raise Violation(f"{self.get.name}: two of one key: {entries}")
        return found

    def key_of(self, entry):
        return tuple(entry.get(name) for name in self.key)

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


class Exceptions(Kind):
    """Settings of objects by their key, beginning with what holds for all others, which has no key."""

    def __init__(self, *args):
        super().__init__(*args)
        self.default = self.name + " of all others"

    def objects(self, entries):
        return super().objects([entry for entry in entries if None not in self.key_of(entry)])

    def default_of(self, entries):
        [default] = [entry for entry in entries if None in self.key_of(entry)]
        return {name: default[name] for name in self.shown if name not in self.key}


class Model:
    """What the kernel has to say after a request, given what it said before."""

    def __init__(self, spec):
        self.spec, self.kinds, self.settings, self.mortal = spec, {}, {}, {}
        for space in {op.space: None for op in spec.ops}:
            ops = {op.verb: op for op in spec.ops if op.space == space and op.kind == space}
            if {"add", "del", "get"} <= ops.keys():
                self.kinds[space] = Kind(spec, ops["add"], ops["del"], ops["get"])
            elif {"set", "del", "get"} <= ops.keys():
                self.kinds[space] = Exceptions(spec, ops["set"], ops["del"], ops["get"])
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
            if isinstance(kind, Exceptions):
                state[kind.default] = kind.default_of(entries)
            self.live(kind, entries)
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

    def live(self, kind, entries):
        """Notes which objects will go by themselves, and when; 0 seconds may be what is left for a while."""
        now = time.monotonic()
        for entry in entries:
            place = kind.name, kind.key_of(entry)
            old = self.mortal.pop(place, None)
            if "expires" in entry:
                self.mortal[place] = old if old and not entry["expires"] else now + entry["expires"]

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
        name, several = self.spec.several(op)
        if name:
            return op, values, self.all_sense(state, self.kinds[name], values.get(several.name, [])), False
        limited = any(self.spec.attribute(op.space, name).limited for name in values)
        return op, values, None, not any(op.request[mode]) or op.verb == "set" and not limited

    def sense(self, state, kind, op, values):
        key = kind.key_of(values)
        known, given = key in state[kind.name], None not in key
        mortal = (kind.name, key) in self.mortal
        if op is kind.delete:
            wrong = None if mortal else "no key" if not given else "no such object" if not known else None
            used = any(found.get(kind.name) == key[0] for other in self.kinds.values() for found in state[other.name].values())
            return wrong, known and not used and not mortal
        if isinstance(kind, Exceptions):
            return None, known or not given
        if given and known and not mortal:
            return "the key is taken", False
        for name in self.refers(kind):
            if name in values and (values[name],) not in state[name]:
                return f"it refers to a {name} that is not", False
        return None, False

    def all_sense(self, state, kind, objects):
        keys = [key for key in map(kind.key_of, objects) if None not in key]
        if not objects or len(set(keys)) < len(keys):
            return "no object, or two of one key"
        return next((wrong for wrong, _ in (self.sense(state, kind, kind.add, values) for values in objects) if wrong), None)

    def all_added(self, before, after, want, kind, objects, answer):
        """The reply has their keys, in the order of the request."""
        new = after[kind.name].keys() - before[kind.name].keys()
        if len(new) != len(objects):
            raise Violation(f"accepted {len(objects)}, but {len(new)} objects are new: {sorted(new, key=str)}")
        want[kind.name].update({key: after[kind.name][key] for key in new})
        for _, entry in answer.entries if answer else []:
            keys = [(key,) for key in entry[kind.key[0]]]
            if set(keys) != new or len(keys) != len(new):
                raise Violation(f"the reply says {keys}, the list {new}")
            for key, values in zip(keys, objects):
                self.agree(kind.name, kind.shown, values, after[kind.name][key])

    def after(self, before, after, op, values, answer):
        """Raises a Violation if an accepted request had another effect than it said."""
        kind, want = self.kinds.get(op.space), {name: dict(objects) for name, objects in before.items()}
        if isinstance(kind, Exceptions) and op is kind.add:
            key = kind.key_of(values)
            default = want[kind.default]
            (default if None in key else want[kind.name].setdefault(key, dict(default))).update(values)
        elif kind and op is kind.add:
            new = after[kind.name].keys() - before[kind.name].keys()
            if len(new) != 1:
                raise Violation(f"accepted, but {len(new)} objects are new: {sorted(new, key=str)}")
            key = new.pop()
            found = want[kind.name][key] = after[kind.name][key]
            self.agree(op.space, kind.shown, values, found)
            for _, entry in answer.entries if answer else []:
                # The rest says what came of it, not what the object is.
                if any(entry[name] != found.get(name) for name in entry if name in kind.shown):
                    raise Violation(f"the reply says {entry}, the list {found}")
        elif self.spec.several(op)[0]:
            name, several = self.spec.several(op)
            self.all_added(before, after, want, self.kinds[name], values[several.name], answer)
        elif kind and op is kind.delete:
            key = kind.key_of(values)
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
                if deadline and here and not there and now > deadline - 2:
                    continue
                if here != there:
                    raise Violation(f"{name} {key} is {there}, not {here}")
                if deadline and now > deadline + GRACE:
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
                right = got == asked or attribute.rounded and got == 1 << (asked - 1).bit_length()
            if not right:
                raise Violation(f"{name} is {got}; it was set to {asked}")

    @staticmethod
    def neutral(attribute, value):
        """What means the same as nothing need not be listed."""
        return value in (0, "0.0.0.0", getattr(attribute, "roof", 0)) or str(value) == attribute.default

    def defaults(self, state):
        for space in self.settings:
            self.agree(space, [attribute.name for attribute in self.spec.sets[space].values()], {}, state[space])
        for kind in self.kinds.values():
            if isinstance(kind, Exceptions):
                self.agree(kind.name, kind.shown, {}, state[kind.default])
