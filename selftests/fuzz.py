#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Fuzzes fastnat's netlink family; driven by fuzz.sh, one line for a command: `new SECONDS NETNS` for a namespace
that nobody has touched, `alone SECONDS NETNS`, `crowd SECONDS NETNS`, `clear NETNS`. The last line of an answer is
ok or failed.

What there is, comes from the specification (fuzz_spec.py); fuzz_make.py makes requests of it, fuzz_model.py
knows what has to come of them, fuzz_players.py brings both together."""
import faulthandler
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback

from fuzz_make import Dice
from fuzz_model import Violation
from fuzz_players import STUCK, Alone, Member, stacks
from fuzz_spec import NEWNET, Malformed, Spec


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
            self.fail(f"{type(error).__name__}: {error}")
        except BaseException as error:  # a mistake of the fuzzer must not look like the kernel's silence
            self.fail(f"fuzzer: {type(error).__name__}: {error}")
        finally:
            os._exit(1)

    def fail(self, what):
        os.write(self.write, what.encode()[:2000])

    def member(self, name, netns):
        player = None
        try:
            player = Member(self.spec, Dice(f"{self.seed}-{name}"), netns, self.fail)
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
                self.failed(0.1)
                for leader in [leader for leader, when in self.groups.items() if when < time.monotonic()]:
                    self.kill(leader)
        finally:
            for leader in list(self.groups):
                self.kill(leader)
        self.failed(0)
        return self.made

    def failed(self, wait):
        if select.select([self.read], [], [], wait)[0]:
            raise Violation(os.read(self.read, 4096).decode())

    def kill(self, leader):
        del self.groups[leader]
        try:
            os.killpg(leader, signal.SIGKILL)
        except ProcessLookupError:  # not yet a group, or no more
            os.kill(leader, signal.SIGKILL)
        deadline = time.monotonic() + STUCK
        while not os.waitpid(leader, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                raise Violation(f"process {leader} cannot be killed\n{stacks(f'/proc/{leader}')}")
            time.sleep(0.01)


class Fuzzer:
    def __init__(self, spec, seed):
        self.spec, self.seed = Spec(spec), seed

    def run(self, command, *args):
        """Runs one command of fuzz.sh; whether the kernel behaved."""
        player, netns = None, os.open(args[-1], os.O_RDONLY)
        try:
            if command == "crowd":
                made = Crowd(self.spec, self.seed, netns).play(float(args[0]))
                print(f"# {made} groups of processes", flush=True)
                return True
            player = Alone(self.spec, Dice(f"{self.seed}-{command}"), netns)
            player.begin()
            if command == "clear":
                player.clear()
                return True
            if command == "new":
                player.model.defaults(player.state)
            player.play(float(args[0]))
        except (Violation, Malformed) as error:
            print(f"# FAIL: FUZZ_SEED={self.seed} {command}: {error}".replace("\n", "\n# "), flush=True)
            if player:
                player.report("")
            return False
        finally:
            os.close(netns)
            if player:
                player.leave()
            if player and player.number:
                print(f"# {player.summary()}", flush=True)
        return True


def main():
    faulthandler.enable()
    fuzzer = Fuzzer(*sys.argv[1:])
    for line in sys.stdin:
        try:
            good = fuzzer.run(*line.split())
        except Exception as error:  # a mistake in the fuzzer must not look like a hang
            print(f"# FAIL: fuzzer: {error}")
            print("\n".join(f"# {line}" for line in traceback.format_exc().splitlines()), flush=True)
            good = False
        print("ok" if good else "failed", flush=True)


if __name__ == "__main__":
    main()
