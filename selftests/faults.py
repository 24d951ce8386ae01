#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Lets allocations of the module fail, one after the other, and looks at what becomes of it; see faults.sh.

    faults.py SPEC changes             requests that change something, in this namespace
    faults.py SPEC reads               all that only read
    faults.py SPEC namespaces          the first request in new namespaces
    faults.py SPEC creation            new namespaces
    faults.py SPEC module FILE         loading the module
    faults.py SPEC on PERCENT [SLAB]   from here on allocations fail, of one slab cache or all of the module
    faults.py SPEC off
    faults.py SPEC listen              to events, until it is killed

The kernel counts down the allocations of a task and lets the one fail that it comes to (/proc/thread-self/fail-nth), if
the module is on the stack. Prints what was wrong, and fails if anything was."""
import ctypes
import errno
import os
import sys

from torture_netlink import Genl, Spec

DEBUG = "/sys/kernel/debug"
KINDS = ("failslab", "fail_page_alloc")
MOST = 400  # allocations of one request
ENDLESS = -1
FINIT_MODULE, DELETE_MODULE = 313, 176
LIBC = ctypes.CDLL(None, use_errno=True)


def put(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def text(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def setting(name, value):
    for kind in KINDS:
        if os.path.exists(f"{DEBUG}/{kind}/{name}"):
            put(f"{DEBUG}/{kind}/{name}", value)


def of_module():
    """Where the module lies."""
    words = next(line.split() for line in text("/proc/modules").splitlines() if line.startswith("fastnat "))
    return int(words[5], 16), int(words[5], 16) + int(words[1])


def of_function(name):
    """Where a function of the kernel lies."""
    symbols = sorted((int(words[0], 16), words[2]) for words in map(str.split, text("/proc/kallsyms").splitlines()) if len(words) == 3)
    low = next(address for address, symbol in symbols if symbol == name)
    return low, next(address for address, _ in symbols if address > low)


def prepare(needed, spared=(0, 0)):
    """Any allocation may fail that has a place between those of `needed` on its stack, and none of `spared`."""
    for name, value in (("probability", 0), ("times", ENDLESS), ("verbose", 0), ("ignore-gfp-wait", "N"), ("ignore-gfp-highmem", "N"),
                        ("min-order", 0), ("cache-filter", "N"), ("require-start", hex(needed[0])), ("require-end", hex(needed[1])),
                        ("reject-start", hex(spared[0])), ("reject-end", hex(spared[1]))):
        setting(name, value)


def off():
    for name, value in (("probability", 0), ("cache-filter", "N"), ("require-start", "0x0"), ("require-end", hex((1 << 64) - 1)),
                        ("reject-start", "0x0"), ("reject-end", "0x0"),
                        ("ignore-gfp-wait", "Y"), ("ignore-gfp-highmem", "Y"), ("min-order", 1), ("times", 1), ("verbose", 2)):
        setting(name, value)


class Nth:
    """Within this the n-th allocation of this thread fails."""

    def __init__(self, number):
        self.number, self.hit = number, False
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)

    def __enter__(self):
        os.pwrite(self.file, b"%d" % self.number, 0)
        return self

    def __exit__(self, *_):
        self.hit = int(os.pread(self.file, 32, 0).rstrip(b"\0\n") or 0) == 0
        os.pwrite(self.file, b"0", 0)
        os.close(self.file)


class Tester:
    def __init__(self, spec):
        self.spec, self.wrong, self.socket = spec, [], None

    @property
    def genl(self):
        """Not before it is used: to ask for the module loads it."""
        self.socket = self.socket or Genl(self.spec)
        return self.socket

    def fault(self, *words):
        self.wrong.append(" ".join(map(str, words))[:300])

    def must(self, op, values=None, dump=False):
        answer = self.genl.ask(op, values, dump)
        if answer.code:
            raise SystemExit(f"{op} {values}: {answer.code} {answer.words}")
        return answer.entries

    def state(self):
        """All that a request can change."""
        fleeting = {"flows", "hits", "policies", "bindings", "expires", "node"}
        lists = {op: sorted(str({name: value for name, value in entry.items() if name not in fleeting}) for entry in self.must(op, dump=True))
                 for op in ("policy-get", "pool-get", "binding-get")}
        stats, = self.must("stats-get")
        counts = [f"{stats[name]} {name}" for name in ("flows", "bindings")]
        return lists | {"config": self.must("config-get"), "counts": counts}

    def each(self, op, values=None, undo=None, dump=False):
        """Lets the first allocation of a request fail, then the second, until all are there."""
        before = self.state()
        refused = survived = 0
        for number in range(1, MOST):
            with Nth(number) as nth:
                answer = self.genl.ask(op, values, dump)
            after = self.state()
            name = errno.errorcode.get(answer.code, answer.code)
            where = f"{op} {values}, allocation {number}:"
            if not nth.hit:
                if answer.code:
                    self.fault(where, "refused though nothing failed:", name, answer.words)
                break
            if answer.code:
                refused += 1
                if name != "ENOMEM" or not answer.words:
                    self.fault(where, f"{name} {answer.words!r} instead of ENOMEM with a message")
                if after != before:
                    self.fault(where, "refused, but something has changed:", difference(before, after))
                    if undo:
                        self.genl.ask(*undo)
            else:
                survived += 1
                if undo:
                    self.must(*undo)
                    if self.state() != before:
                        self.fault(where, "granted, but cannot be undone:", difference(before, self.state()))
        else:
            self.fault(f"{op} {values}: always fails")
        print(f"{op}: {number - 1} allocations, {refused} refused it, {survived} did not matter")


def difference(before, after):
    return ", ".join(f"{name}: {[one for one in after[name] if one not in before[name]]}" for name in before if before[name] != after[name])


POOL = {"name": "red", "range": [{"addr-min": "203.0.113.0", "addr-max": "203.0.113.7"}]}
SNAT = {"id": 1, "action": "snat", "pool": "red", "src-addr": "10.0.0.0", "src-prefix": 24, "out-iface": "wan0"}
DNAT = {"id": 2, "action": "dnat", "dst-addr": "192.0.2.1", "proto": 6, "dst-port-min": 80, "to-addr": "10.0.0.2"}
STATIC = {"policy": 1, "proto": 17, "inside-addr": "10.0.0.9", "inside-port": 7, "outside-addr": "203.0.113.1", "outside-port": 4000}


def changes(tester):
    """In an order in which each finds what it needs; what is deleted is there again for the next."""
    tester.each("pool-add", POOL, ("pool-del", {"name": "red"}))
    tester.each("policy-add", SNAT, ("policy-del", {"id": 1}))
    tester.each("policy-add", DNAT, ("policy-del", {"id": 2}))
    tester.each("policy-add", SNAT | {"id": 3, "priority": 5}, ("policy-del", {"id": 3}))
    tester.each("binding-add", STATIC, ("binding-del", {name: STATIC[name] for name in ("proto", "outside-addr", "outside-port")}))
    fresh = STATIC | {"inside-port": 8, "outside-addr": "203.0.113.2", "lifetime": 1000, "proto": 6}
    tester.each("binding-add", fresh, ("binding-del", {name: fresh[name] for name in ("proto", "outside-addr", "outside-port")}))
    tester.each("config-set", {"buckets": 8192, "timeout-udp": 77, "max-flows": 999}, ("config-set", tester.must("config-get")[0]))
    tester.each("config-set", {"buckets": 0})
    tester.each("policy-del", {"id": 3}, ("policy-add", SNAT | {"id": 3, "priority": 5}))
    tester.each("pool-add", POOL | {"name": "green"}, ("pool-del", {"name": "green"}))
    tester.each("pool-del", {"name": "green"}, ("pool-add", POOL | {"name": "green"}))


def reads(tester):
    for op in ("stats-get", "config-get", "size-get"):
        tester.each(op)
    for op in ("flow-get", "binding-get", "policy-get", "pool-get", "table-get"):
        tester.each(op, dump=True)
    tester.each("flow-flush")


def in_child(function):
    """What a child in a namespace of its own says; the namespace dies with it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.unshare(0x40000000)
        os.write(writer, function().encode())
        os._exit(0)
    os.close(writer)
    words = os.read(reader, 65536).decode()
    os.close(reader)
    return words if os.waitpid(pid, 0)[1] == 0 else "died"


def namespaces(tester):
    """The first request makes the state of the namespace: all of it or nothing."""
    requests = [("config-set", {"timeout-udp": 77}), ("policy-add", {"id": 1, "action": "masquerade", "out-iface": "wan0"})]
    for op, values in requests:
        for number in range(1, MOST):
            def first(number=number, op=op, values=values):
                inner = Tester(tester.spec)
                before = inner.state()
                with Nth(number) as nth:
                    answer = inner.genl.ask(op, values)
                name = errno.errorcode.get(answer.code, answer.code)
                if not nth.hit:
                    return f"end {name}"
                if answer.code and (name != "ENOMEM" or not answer.words):
                    return f"{name} {answer.words!r} instead of ENOMEM with a message"
                if answer.code and inner.state() != before:
                    return f"refused, but something has changed: {difference(before, inner.state())}"
                if answer.code and inner.genl.ask(op, values).code:
                    return "refused for good"
                return ""
            words = in_child(first)
            if words.startswith("end"):
                if words != "end 0":
                    tester.fault(f"{op} in a new namespace: {words}, though nothing failed")
                break
            if words:
                tester.fault(f"{op} in a new namespace, allocation {number}: {words}")
        print(f"{op} in a new namespace: {number - 1} allocations")


def creation(tester):
    """Of namespaces: the kernel may refuse them, the module must not trip."""
    for number in range(1, MOST):
        pid = os.fork()
        if pid == 0:
            with Nth(number) as nth:
                try:
                    os.unshare(0x40000000)
                except OSError as error:
                    os._exit(0 if error.errno == errno.ENOMEM else 2)
            os._exit(0 if nth.hit else 1)
        code = os.waitpid(pid, 0)[1] >> 8
        if code == 1:
            break
        if code:
            tester.fault(f"creating a namespace, allocation {number}: another error than ENOMEM")
    print(f"creating a namespace: {number - 1} allocations of the module")


def module(tester, path):
    """The module is not loaded, and anything that it allocates when it is may fail."""
    refused = 0
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    for number in range(1, 4000):
        with Nth(number) as nth:
            code = LIBC.syscall(FINIT_MODULE, file, b"", 0)
            error = ctypes.get_errno()
        if code == 0:
            LIBC.syscall(DELETE_MODULE, b"fastnat", os.O_NONBLOCK)
        if os.path.exists("/sys/module/fastnat"):
            tester.fault(f"loading, allocation {number}: it is still there")
            break
        if not nth.hit:
            if code:
                tester.fault(f"loading: {os.strerror(error)}, though nothing failed")
            break
        if code and error != errno.ENOMEM:
            tester.fault(f"loading, allocation {number}: {os.strerror(error)}")
        refused += code != 0
    print(f"loading the module: {number - 1} allocations, {refused} refused it")


def main():
    spec, what, *args = Spec(sys.argv[1]), *sys.argv[2:]
    if what == "off":
        return off()
    if what == "listen":
        genl = Genl(spec)
        for group in genl.groups:
            genl.join(group)
        print("listens", flush=True)
        while genl.sock.recv(1 << 17):
            pass
    if what == "module":
        # Loading itself is the kernel's business, and about a slab cache that cannot be made it makes a fuss.
        prepare(of_function("do_one_initcall"), of_function("__kmem_cache_create_args"))
    else:
        prepare(of_module())
    if what == "on":
        percent, slab = args[0], args[1:]
        if slab:
            put(f"/sys/kernel/slab/{slab[0]}/failslab", 1)
            setting("cache-filter", "Y")
        put(f"{DEBUG}/failslab/probability", percent)
        return None
    tester = Tester(spec)
    {"changes": changes, "reads": reads, "namespaces": namespaces, "creation": creation, "module": module}[what](tester, *args)
    off()
    for line in tester.wrong[:20]:
        print("FAIL:", line)
    return len(tester.wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
