#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every operation of fastnat by way of pyynl; see ynl.sh."""
import subprocess
import sys

YNL, SPEC, CLIENT, SERVER = sys.argv[1:]
sys.path.append(YNL)
from pyynl.lib import NlError, YnlFamily  # noqa: E402

ynl = YnlFamily(SPEC, "")
results = []


def check(what, got, want):
    if got != want:
        print(f"# FAIL: {what}: got {got!r}, want {want!r}")
    return got == want


def subset(whole, part):
    return {key: whole.get(key) for key in part}


def refused(op, attrs):
    try:
        ynl.do(op, attrs)
    except NlError as error:
        message = (error.nl_msg.extack or {}).get("msg", "")
        if not message:
            print(f"# FAIL: {op}: refused without a message")
        return bool(message)
    print(f"# FAIL: {op} {attrs}: accepted")
    return False


def pools():
    ynl.do("pool-add", {"name": "out", "range": [{"addr-min": "203.0.113.4", "addr-max": "203.0.113.7"}, {"addr-min": "203.0.113.9"}],
                        "port-min": 5000, "port-max": 5999, "allocation": "preserve"})
    [pool] = ynl.dump("pool-get", {})
    return check("pool", pool, {
        "name": "out", "range": [{"addr-min": "203.0.113.4", "addr-max": "203.0.113.7"}, {"addr-min": "203.0.113.9", "addr-max": "203.0.113.9"}],
        "port-min": 5000, "port-max": 5999, "allocation": "preserve", "policies": 0, "bindings": 0})


def policies():
    given = {"action": "snat", "pool": "out", "src-addr": "10.0.0.0", "src-prefix": 24, "priority": 5,
             "out-iface": "wan0", "offload": "off", "offload-after": 2}
    number = ynl.do("policy-add", given)["id"]
    chosen = ynl.do("policy-add", {"action": "dnat", "id": 77, "dst-addr": "203.0.113.20", "to-addr": "10.0.0.2"})
    listed = ynl.dump("policy-get", {})
    return (check("order", [policy["id"] for policy in listed], [number, 77])
            and check("chosen id", chosen, {"id": 77, "older-flows": 0})
            and check("policy", subset(listed[0], given), given)
            and check("counts", subset(listed[0], {"flows": 0, "hits": 0}), {"flows": 0, "hits": 0}))


def several():
    given = [{"action": "no-snat", "id": 500, "priority": 7}, {"action": "masquerade", "out-iface": "wan9", "priority": 6},
             {"action": "snat", "pool": "out", "dst-addr": "192.0.2.77", "priority": 8}]
    ids = ynl.do("policies-add", {"policy": given})["id"]
    listed = {policy["id"]: policy for policy in ynl.dump("policy-get", {})}
    good = (check("ids", (len(set(ids)), ids[0]), (3, 500))
            and check("policies", [subset(listed[id], policy) for id, policy in zip(ids, given)], given)
            and refused("policies-add", {"policy": [{"action": "masquerade"}, {"action": "masquerade", "id": 500}]})
            and refused("policies-add", {})
            and check("one", len(ynl.do("policies-add", {"policy": given[1:2]})["id"]), 1))
    for policy in ynl.dump("policy-get", {}):
        if policy["id"] not in listed or policy["id"] in ids:
            ynl.do("policy-del", {"id": policy["id"]})
    return good


def flows():
    subprocess.run(["nsenter", f"--net=/run/netns/{CLIENT}", "ping", "-qc1", "-W5", SERVER],
                   check=True, stdout=subprocess.DEVNULL)
    [flow] = ynl.dump("flow-get", {})
    outside = flow["translated"]
    reply = {"src-addr": SERVER, "src-port": 0, "dst-addr": outside["src-addr"], "dst-port": outside["src-port"]}
    same = ynl.do("flow-get", {"proto": 1, "orig": flow["orig"]})
    return (check("inside", flow["orig"]["src-addr"], "10.0.0.2")
            and check("outside", outside["src-addr"].startswith("203.0.113."), True)
            and check("by its tuple", subset(same, {"orig": 0, "translated": 0}),
                      subset(flow, {"orig": 0, "translated": 0}))
            and check("by its reply", ynl.do("flow-get", {"proto": 1, "orig": reply})["orig"], flow["orig"]))


def bindings():
    [binding] = ynl.dump("binding-get", {})
    [flow] = ynl.dump("flow-get", {})
    want = {"proto": 1, "inside-addr": "10.0.0.2", "inside-port": flow["orig"]["src-port"],
            "outside-addr": flow["translated"]["src-addr"], "outside-port": flow["translated"]["src-port"],
            "policy": flow["policy"], "flows": 1}
    return check("binding", subset(binding, want), want)


def stats():
    counters = ynl.do("stats-get", {})
    names = [attribute for attribute in ynl.attr_sets["stats"]]
    want = {"flows": 1, "bindings": 1, "flows-created": 1, "bindings-created": 1}
    return (check("every counter is there", sorted(counters), sorted(names))
            and check("counters", subset(counters, want), want)
            and check("translated", counters["translated"] >= 2, True)
            and check("offloaded", counters["offloaded"], 0)
            and check("flows of the nodes", sum(node["flows"] for node in counters["node"]), 1))


def settings():
    before = ynl.do("config-get", {})
    given = {"timeout-icmp": 33, "conntrack": "tracked", "offload": "on", "offload-after": 9, "offload-exempt-mark": 1,
             "offload-exempt-mask": 3, "offload-exempt-devices": {"name": ["wan1", "wan2"]},
             "early-devices": {"name": ["wan2", "wan4"]}}
    ynl.do("config-set", given)
    good = check("settings", ynl.do("config-get", {}), before | given)
    for name in "offload-exempt-devices", "early-devices":
        before = ynl.do("config-get", {})
        for what, names in ("another list", {"name": ["wan3"]}), ("no list", {}):
            ynl.do("config-set", {name: names})
            good &= check(f"{name}, {what}", ynl.do("config-get", {}), before | {name: names})
    return good


def aggregation():
    [default] = ynl.dump("lro-get", {})
    good = (check("default", subset(default, {"device": 0, "mode": 0, "limit": 0}), {"device": None, "mode": "off", "limit": 16})
            and check("every reason is there", sorted(default["reasons"]), sorted(ynl.attr_sets["lro-reasons"])))
    ynl.do("lro-set", {"device": "wan0", "mode": "lro", "limit": 20})
    ynl.do("lro-set", {"limit": 2})
    default, entry = ynl.dump("lro-get", {})
    good &= check("entry", subset(entry, {"device": 0, "mode": 0, "limit": 0}), {"device": "wan0", "mode": "lro", "limit": 20})
    good &= check("its number", "ifindex" in entry, True) and check("limit of the others", default["limit"], 2)
    ynl.do("lro-del", {"device": "wan0"})
    ynl.do("lro-set", {"limit": 16})
    return good and check("left", len(ynl.dump("lro-get", {})), 1)


def refusals():
    return all([refused("policy-add", {"action": "snat"}), refused("policy-add", {"action": "masquerade", "id": 77}),
                refused("policy-del", {"id": 4711}), refused("pool-del", {"name": "out"}),
                refused("pool-add", {"name": "out"}), refused("config-set", {"max-flows": 0}),
                refused("config-set", {"offload-after": 0}), refused("config-set", {"offload-exempt-mask": 2}),
                refused("config-set", {"offload-exempt-devices": {"name": [""]}}),
                refused("config-set", {"early-devices": {"name": [""]}}),
                refused("lro-set", {"device": "", "limit": 3}), refused("lro-set", {"limit": 1}),
                refused("lro-set", {"limit": 65}), refused("lro-del", {}), refused("lro-del", {"device": "wan9"}),
                refused("policy-add", {"action": "no-snat", "offload": "on"})])


def flush():
    return (check("flushed", ynl.do("flow-flush", {"proto": 1}), {"count": 1})
            and check("flows", ynl.dump("flow-get", {}), [])
            and check("again", ynl.do("flow-flush", {}), {"count": 0}))


def delete():
    for policy in ynl.dump("policy-get", {}):
        ynl.do("policy-del", {"id": policy["id"]})
    ynl.do("pool-del", {"name": "out"})
    return check("left", [ynl.dump("policy-get", {}), ynl.dump("pool-get", {})], [[], []])


TESTS = [pools, policies, several, flows, bindings, stats, settings, aggregation, refusals, flush, delete]
print("KTAP version 1")
print(f"1..{len(TESTS)}")
for number, test in enumerate(TESTS, 1):
    try:
        good = test()
    except Exception as error:  # the next test may still say something
        print(f"# FAIL: {type(error).__name__}: {error}".replace("\n", " "))
        good = False
    results.append(good)
    print(f"{'ok' if good else 'not ok'} {number} {test.__name__}", flush=True)
sys.exit(0 if all(results) else 1)
