#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Beside the speed: what comes out is, octet by octet, what a reference translation in Python says, with
# checksums made from scratch. TCP and UDP, both directions, packets one by one, in lists and in
# aggregates; by plain forwarding (which shows that the reference is right), through the hooks, offloaded.
#
#   (source and sink) ---- bench0  gateway  bench1 ---- (source and sink)
#   10.1.0.0/16        10.0.0.1      192.0.2.1      198.18.0.0/15
#
# Wants selftests/perf/module/fastnat_bench.ko, or FASTNAT_BENCH, and namespaces of its own for nothing:
# run it in a VM, with exact_build.sh before:
#
#   selftests/vm/run -- selftests/perf/bytes.sh [OPTION…]     options: bytes.py --help

set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
netns=fastnat-bytes-$$

cleanup() {
	rmmod fastnat_bench 2>/dev/null || true
	ip netns del "$netns" 2>/dev/null || true
}

ip netns add "$netns"
trap cleanup EXIT
# Whoever loads it has the devices.
ip netns exec "$netns" insmod "${FASTNAT_BENCH:-$here/module/fastnat_bench.ko}" ||
	{ printf 'KTAP version 1\n1..0 # SKIP no fastnat_bench.ko for this kernel\n'; exit 4; }
[[ -d /sys/module/fastnat ]] || modprobe fastnat
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
ip netns exec "$netns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1
ip -n "$netns" -batch "$here/gateway.ip"
status=0
# "ip netns exec" gives the process a /sys of its own, without debugfs.
nsenter --net="/run/netns/$netns" python3 -B "$here/bytes.py" "$@" || status=$?
exit "$status"
