# SPDX-License-Identifier: GPL-2.0
"""Whose instructions are they: a packet's way, step by step, against the module's debug information."""

import collections
import re
import subprocess

# A function, or one that was inlined into it, belongs to the first part whose pattern is in its name.
PARTS = (
    ("hash", re.compile(r"nat::hash::")),
    ("lookup", re.compile(r"table::(hash|array|shard|flow)::.*(find|flow)|Shard.*::flow|Bucket")),
    ("parse", re.compile(r"::parse|nat::packet::")),
    ("rewrite", re.compile(r"nat::rewrite::|nat::checksum::|::translate|skb_ensure_writable")),
    ("route", re.compile(r"route|neigh")),
)
OWN = "rest"
KERNEL = "kernel"
BENCH = "bench"


def read_symbols(module):
    """Where the functions of the module begin in its .text."""
    lines = subprocess.run(["nm", module], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(value, 16) for value, _, name in (line.split() for line in lines if len(line.split()) == 3)}


def chains(module, addresses):
    """For each address in .text, the function it belongs to and those that were inlined, innermost first."""
    command = ["addr2line", "-a", "-i", "-f", "-C", "-s", "-j", ".text", "-e", module]
    text = "\n".join(map(hex, addresses))
    lines = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    found, name = {}, None
    for line in lines:
        if line.startswith("0x"):
            current = found[int(line, 16)] = []
            name = None
        elif name is None:
            name = line
        else:
            current.append((name, line))
            name = None
    return found


def part_of(chain):
    for part, pattern in PARTS:
        if any(pattern.search(name) for name, _ in chain):
            return part
    return OWN


def from_hook(steps):
    """The way from our own hook on, if it was there; our hook itself counts for nothing."""
    for i in range(len(steps) - 1, -1, -1):
        if steps[i].startswith("bench_mark_hook+"):
            return steps[i + 1:]
    return steps


class Profile:
    """What is known of the ways of the packets of one module."""

    def __init__(self, module, ways):
        symbols = read_symbols(module)
        own = {step for steps in ways.values() for step in steps if step.endswith("[fastnat]")}
        self.address = {step: self.locate(symbols, step) for step in own}
        known = {a for a in self.address.values() if a is not None}
        self.chains = chains(module, sorted(known)) if known else {}

    @staticmethod
    def locate(symbols, step):
        name, offset = step.split("+")
        start = symbols.get(name)
        return None if start is None else start + int(offset.split("/")[0], 16)

    def part(self, step):
        if step.endswith("[fastnat_bench]"):
            return BENCH
        if step in self.address:
            return part_of(self.chains.get(self.address[step], []))
        return KERNEL

    def parts(self, steps):
        return collections.Counter(self.part(step) for step in from_hook(steps))

    def place(self, step):
        """The innermost line of the module's own source, or the kernel's function."""
        chain = self.chains.get(self.address.get(step), [])
        for name, line in chain:
            if "main::" in name and "core::" not in name.split("::")[0]:
                return f"{name} {line.split(' ')[0]}"
        return f"{chain[-1][0]} {chain[-1][1].split(' ')[0]}" if chain else step.split("+")[0]

    def places(self, steps):
        """(part, place) and how many instructions, the most first."""
        return collections.Counter((self.part(step), self.place(step)) for step in from_hook(steps)).most_common()
