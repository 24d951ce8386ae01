#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Everything at once, at two gateways; see torture.sh, which says what to do, a line for a command:

    wild CLIENT GATEWAY SERVER      the namespaces where anything may happen
    steady CLIENT GATEWAY SERVER    those where 10.0.0.2 and its policies are left alone
    storm SECONDS                   all workers at work
    rest                            all workers hold still
    books                           the invariants
    unload                          in the middle of everything
    end                             of all workers
    empty                           everything is flushed and deleted

The last line of an answer is ok or failed; the others are notes."""
import os
import select
import subprocess
import sys
import time
import traceback

from torture_books import Books, by_inside, by_outside, emptied
from torture_net import SLOW, Gateway, Reins, Wrong
from torture_netlink import Spec, enter
from torture_traffic import SERVERS, connections, many, protected, serve
from torture_work import POOLS, Meddler, address, cpus, listen, meddle, namespaces

STUCK = 60 * SLOW  # seconds; more than any worker needs to finish what it does


class Workers:
    """Processes that share reins."""

    def __init__(self):
        self.reins, self.running = Reins(), {}

    def start(self, name, function, *args):
        self.reins.slot = len(self.running) + 2
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)
            try:
                text = f"ok {name}: {function(self.reins, *args)}"
            except Wrong as error:
                text = f"{name}: {error}"
            except BaseException:
                text = f"{name}: {traceback.format_exc()}"
            os.write(writer, text.encode()[:60000])
            os._exit(0)
        os.close(writer)
        self.running[pid] = name, self.reins.slot, reader

    def ended(self):
        """Those who have ended while they should work."""
        return [name for name, _, reader in self.running.values() if select.select([reader], [], [], 0)[0]]

    def work(self, seconds, others=None):
        self.reins.all(Reins.RUN)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.ended() and not (others and others.ended()):
            time.sleep(0.1)

    def rest(self):
        self.reins.all(Reins.PAUSE)
        until = time.monotonic() + STUCK
        while waiting := [name for name, slot, _ in self.running.values() if not self.reins.rests(slot) and name not in self.ended()]:
            if time.monotonic() > until:
                raise Wrong(f"stuck: {waiting}")
            time.sleep(0.02)

    def end(self):
        """Yields what they have to say, and what was wrong."""
        self.reins.all(Reins.STOP)
        until = time.monotonic() + STUCK
        for pid, (name, _, reader) in self.running.items():
            text = ""
            if select.select([reader], [], [], max(until - time.monotonic(), 0))[0]:
                text = os.read(reader, 65536).decode()
            else:
                os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(reader)
            yield text or f"{name}: stuck, or dead"
        self.running = {}


class Torture:
    def __init__(self, spec):
        self.spec, self.places, self.gateways = spec, {}, {}
        self.storm_, self.calm = None, None

    def wild(self, *namespaces_):
        self.places["wild"] = namespaces_

    def steady(self, *namespaces_):
        self.places["steady"] = namespaces_

    def gateway(self, name):
        enter(self.places[name][1])
        gateway = self.gateways.setdefault(name, Gateway(self.spec))
        if not gateway.connect():
            raise Wrong("the module is not there")
        return gateway

    def begin(self):
        """The workers who stay, whatever comes."""
        client, gateway, server = self.places["wild"]
        workers = self.storm_ = Workers()
        for number in range(3):
            workers.start(f"meddler {number}", meddle, gateway, self.spec, False, 0.02)
        workers.start("packets", many, client)
        workers.start("servers", serve, server, SERVERS)
        workers.start("inside servers", serve, client, ["10.0.0.2"])
        workers.start("connections", connections, client, server)
        workers.start("listener", listen, [place[1] for place in self.places.values()], self.spec)
        workers.start("namespaces", namespaces, self.spec)
        workers.start("cpus", cpus)

    def begin_steady(self):
        """Those at the steady gateway, for which it has to be there."""
        client, name, server = self.places["steady"]
        gateway = self.gateway("steady")
        own = {"timeout-tcp": 3600, "timeout-udp": 3600, "timeout-icmp": 3600}
        gateway.must("config-set", {"max-flows": 200000, "max-bindings": 200000})
        gateway.must("pool-add", {"name": "calm", "range": [{"addr-min": "203.0.113.16", "addr-max": "203.0.113.17"}]})
        gateway.must("policy-add", {"id": 1, "action": "snat", "pool": "calm", "src-addr": "10.0.0.2", "out-iface": "wan0", "priority": 1} | own)
        gateway.must("policy-add", {"id": 2, "action": "dnat", "dst-addr": "203.0.113.9", "to-addr": "10.0.0.2", "priority": 1} | own)
        for pool in POOLS:
            gateway.must("pool-add", {"name": pool, "range": [{"addr-min": "203.0.113.0", "addr-max": "203.0.113.7"}]})
        workers = self.calm = Workers()
        workers.start("steady servers", serve, server, SERVERS)
        workers.start("steady packets", many, client)
        workers.start("protected", protected, client, server)
        # What the protected ones keep is made first, while nothing is full.
        workers.work(1 * SLOW)
        workers.start("steady meddler", meddle, name, self.spec, True, 0.02)

    def storm(self, seconds):
        if not self.storm_:
            self.begin()
        enter(self.places["wild"][1])
        Meddler(self.spec, False).base()
        self.storm_.reins.hands_off = 0
        self.begin_steady()
        self.storm_.reins.all(Reins.RUN)
        self.calm.work(float(seconds), self.storm_)
        self.finish(self.calm)
        for name in self.storm_.ended():
            raise Wrong(f"{name} has ended; its last words come later")

    def finish(self, workers):
        wrong = []
        for text in workers.end():
            if text.startswith("ok "):
                print("#", text[3:])
            else:
                wrong.append(text)
        if wrong:
            raise Wrong("\n".join(wrong))

    def rest(self):
        """Before that some flows are made, so that there is something to look at."""
        gateway = self.gateway("wild")
        for _ in range(3):
            gateway.ask("config-set", {"max-flows": 200000, "max-bindings": 200000, "timeout-udp": 60, "buckets": 0})
            address("wan0", "192.0.2.1", 24, True)
            Meddler(self.spec, False).base()
            self.storm_.work(0.5)
        self.storm_.rest()

    def books(self):
        wrong = []
        for name, (client, gateway_name, server) in self.places.items():
            enter(gateway_name)
            address("wan0", "192.0.2.1", 24, True)
            gateway = self.gateway(name)
            # What is checked should not expire meanwhile.
            gateway.must("config-set", {"numa": "home", "max-bindings": 200000, "timeout-tcp": 3600, "timeout-udp": 3600, "timeout-icmp": 3600})
            books = Books(gateway, name == "wild")
            wrong += [f"{name}: {error}" for error in books.errors()]
            wrong += [f"{name}: {error}" for error in by_inside(books, gateway)]
            wrong += [f"{name}: {error}" for error in by_outside(books, client, server)]
            stats = books.stats
            drops = {key: value for key, value in stats.items() if key.startswith("drop-") and value}
            print(f"# {name}: {stats['flows']} flows of {stats['flows-created']}, {stats['bindings']} bindings of {stats['bindings-created']},",
                  f"{stats['translated']} translated, {stats['resizes']} resizes, {stats['events-lost']} events lost, {drops}")
        if wrong:
            raise Wrong("\n".join(wrong[:20]))

    def unload(self):
        """All workers go on, but for those who read lists half."""
        self.storm_.reins.hands_off = 1
        self.storm_.work(0.3)
        until, tries = time.monotonic() + STUCK, 0
        while (result := subprocess.run(["rmmod", "fastnat"], capture_output=True, text=True, check=False)).returncode:
            tries += 1
            if "in use" not in result.stderr and "temporarily unavailable" not in result.stderr or time.monotonic() > until:
                raise Wrong(f"cannot be unloaded: {result.stderr}")
            time.sleep(0.05)
        if tries:
            print(f"# unloaded after {tries} refusals")

    def end(self):
        if self.storm_:
            self.finish(self.storm_)

    def empty(self):
        wrong = []
        for name in self.places:
            wrong += [f"{name}: {error}" for error in emptied(self.gateway(name), name == "wild")]
        if wrong:
            raise Wrong("\n".join(wrong[:20]))


def main():
    torture = Torture(Spec(sys.argv[1]))
    for line in sys.stdin:
        command, *args = line.split()
        try:
            getattr(torture, command)(*args)
            print("ok", flush=True)
        except Exception as error:  # a mistake in here must not look like a hang
            text = str(error) if isinstance(error, Wrong) else traceback.format_exc()
            print("# " + text.replace("\n", "\n# "))
            print("failed", flush=True)


if __name__ == "__main__":
    main()
