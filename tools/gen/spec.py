# SPDX-License-Identifier: GPL-2.0
"""The netlink specification, numbered the way YNL numbers it."""

import sys
from dataclasses import dataclass, field

import yaml


@dataclass
class Entry:
    """An entry of an enum."""

    name: str
    value: int
    doc: str


@dataclass
class Enum:
    """An enum of the family."""

    name: str
    doc: str
    entries: list[Entry]


@dataclass
class Attribute:
    """An attribute of a set."""

    name: str
    kind: int
    type: str
    doc: str
    enum: str | None
    nested: str | None
    multi: bool
    hint: str | None
    checks: dict


@dataclass
class Set:
    """An attribute set; a subset has some of the attributes of its parent."""

    name: str
    doc: str
    attributes: list[Attribute]
    parent: str | None = None


@dataclass
class Operation:
    """An operation or an event, which has a group; each part is a dict of lists of attribute names,
    None where there are none."""

    name: str
    value: int
    doc: str
    set: str
    flags: list[str]
    group: str | None
    parts: dict = field(default_factory=dict)


@dataclass
class Spec:
    """The whole family."""

    path: str
    name: str
    version: int
    doc: str
    enums: list[Enum]
    sets: list[Set]
    operations: list[Operation]
    events: list[Operation]
    groups: list[str]


def one_line(text):
    return " ".join((text or "").split())


def numbered(items, start):
    """Each item with its value: its own, or one more than the value before."""
    value = start
    for item in items:
        value = item.get("value", value)
        yield item, value
        value += 1


def read_enum(raw):
    entries = [e if isinstance(e, dict) else {"name": e} for e in raw["entries"]]
    return Enum(
        raw["name"],
        one_line(raw.get("doc")),
        [Entry(e["name"], v, one_line(e.get("doc"))) for e, v in numbered(entries, 0)],
    )


def read_attribute(raw, kind):
    return Attribute(
        raw["name"],
        kind,
        raw["type"],
        one_line(raw.get("doc")),
        raw.get("enum"),
        raw.get("nested-attributes"),
        raw.get("multi-attr", False),
        raw.get("display-hint"),
        raw.get("checks", {}),
    )


def read_set(raw):
    attributes = [read_attribute(a, kind) for a, kind in numbered(raw["attributes"], 1)]
    return Set(raw["name"], one_line(raw.get("doc")), attributes)


def read_sets(raws):
    sets = {raw["name"]: read_set(raw) for raw in raws if "subset-of" not in raw}
    for raw in raws:
        if "subset-of" in raw:
            parent, names = sets[raw["subset-of"]], [a["name"] for a in raw["attributes"]]
            attributes = [a for a in parent.attributes if a.name in names]
            sets[raw["name"]] = Set(raw["name"], one_line(raw.get("doc")), attributes, parent.name)
    return [sets[raw["name"]] for raw in raws]


def read_operation(raw, value):
    operation = Operation(
        raw["name"],
        value,
        one_line(raw["doc"]),
        raw["attribute-set"],
        raw.get("flags", []),
        raw.get("mcgrp"),
    )
    if "event" in raw:
        operation.parts["event"] = {"message": raw["event"]["attributes"]}
    for mode in ("do", "dump"):
        if mode in raw:
            operation.parts[mode] = {
                side: (raw[mode] or {}).get(side, {}).get("attributes")
                for side in ("request", "reply")
            }
    return operation


def load():
    """Reads the specification that the command line names."""
    path = sys.argv[1]
    with open(path, encoding="utf-8") as stream:
        raw = yaml.safe_load(stream)
    numbered_operations = numbered(raw["operations"]["list"], 1)
    operations = [read_operation(o, value) for o, value in numbered_operations]
    return Spec(
        path,
        raw["name"],
        raw.get("version", 1),
        one_line(raw["doc"]),
        [read_enum(d) for d in raw.get("definitions", []) if d["type"] == "enum"],
        read_sets(raw["attribute-sets"]),
        [o for o in operations if not o.group],
        [o for o in operations if o.group],
        [g["name"] for g in raw.get("mcast-groups", {}).get("list", [])],
    )
