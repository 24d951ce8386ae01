#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `config size` says that settings take is what they take.
#
#   client            gw
#   eth0 ---------- lan0  hole: swallows 198.18.0.0/15
#   10.0.0.2, 10.1.0.0/16

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/pktgen.sh
. "$(dirname "$0")/pktgen.sh"

TESTS=(
	asking_changes_nothing
	the_parts_add_up
	every_node_has_its_share
	buckets_take_what_was_said
	flows_and_bindings_take_what_was_said
	the_tables_grow_to_what_was_said
	files_of_proc_say_it_too
)

SLABS=/sys/kernel/slab

size() { fn --json config size "$@"; }

# within WHAT MEASURED SAID: by 5 %.
within() {
	note "$1: said $3, measured $2 ($((($2 - $3) * 1000 / $3)) per mille)"
	(($2 * 100 <= $3 * 105 && $2 * 100 >= $3 * 95)) || fail "$1: measured $2, want $3 within 5 %"
}

asking_changes_nothing() {
	local before
	before=$(fn --json config show)
	like "text" "$(fn config size --flows 4M --bindings 1M --buckets 2M)" 'per node'
	is "flows, bindings, buckets" "$(size --flows 4M --bindings 1M --buckets 2M |
		jq -c '[."max-flows", ."max-bindings", .buckets]')" '[4194304,1048576,2097152]'
	is "bindings as flows" "$(size --flows 1000 | jq -c '[."max-flows", ."max-bindings"]')" '[1000,1000]'
	is "settings" "$(fn --json config show)" "$before"
	is "without an option" "$(size | jq -c '[."max-flows", ."max-bindings"]')" "$(jq -c '[."max-flows", ."max-bindings"]' <<<"$before")"
	is "buckets" "$(fn --json stats table | jq -c 'map(.buckets) | unique')" '[256]'
}

the_parts_add_up() {
	local said
	said=$(size --flows 100000 --bindings 50000)
	is "total" "$(jq '."total-memory" == ."table-memory" + ."flow-memory" + ."binding-memory" + ."other-memory"' <<<"$said")" true
	is "flows" "$(jq '."flow-memory" >= 100000 * ."flow-bytes" and ."flow-memory" < 105000 * ."flow-bytes"' <<<"$said")" true
	is "bindings" "$(jq '."binding-memory" >= 50000 * ."binding-bytes" and ."binding-memory" < 52500 * ."binding-bytes"' <<<"$said")" true
}

every_node_has_its_share() {
	is "nodes" "$(size | jq .nodes)" "$(fn --json stats | jq '.node | length')"
	is "tables" "$(size --buckets 64k | jq '."table-memory" == 2 * 65536 * .nodes * ."bucket-bytes"')" true
}

vmalloc_bytes() { awk '/^VmallocUsed/ { print $2 * 1024 }' /proc/meminfo; }
buckets_are() { [[ $(fn --json stats table | jq -c 'map([.buckets, .resizing]) | unique') == "[[$1,null]]" ]]; }

# So large that the kernel has no such piece of memory elsewhere.
buckets_take_what_was_said() {
	local before
	before=$(vmalloc_bytes)
	configure config set --buckets 1M
	comes_true "1M buckets" 8 buckets_are 1048576
	within "buckets" $(($(vmalloc_bytes) - before)) "$(size --buckets 1M | jq '."table-memory"')"
	configure config set --buckets 4096
	comes_true "4096 buckets" 8 buckets_are 4096
	at_least "given back, with 2 MB for the rest of the machine" $((before + (2 << 20) - $(vmalloc_bytes))) 1
	configure config set --buckets auto
}

# slab_bytes CACHE: all of it, in use or not.
slab_bytes() {
	local slabs
	read -r slabs _ <"$SLABS/$1/slabs"
	echo $((slabs * 4096 << $(cat "$SLABS/$1/order")))
}

flows_and_bindings_take_what_was_said() {
	local said flows bindings
	configure config set --max-flows "$COUNT" --max-bindings "$COUNT"
	said=$(size)
	[[ -r $SLABS/fastnat_flow/slabs ]] || { skip "this kernel does not show its slabs"; blast "$COUNT" >/dev/null; return; }
	# What others of the same size have left behind; some kernels merge caches.
	echo 1 >"$SLABS/fastnat_flow/shrink"
	echo 1 >"$SLABS/fastnat_binding/shrink"
	flows=$(slab_bytes fastnat_flow) bindings=$(slab_bytes fastnat_binding)
	blast "$COUNT" >/dev/null
	is "flows" "$(counter flows)" "$COUNT"
	is "bindings" "$(counter bindings)" "$COUNT"
	if (($(cat "$SLABS/fastnat_flow/slab_size") > $(cat "$SLABS/fastnat_flow/object_size"))); then
		skip "the slabs of this kernel carry data for debugging"
		return
	fi
	within "flows" $(($(slab_bytes fastnat_flow) - flows)) "$(jq '."flow-memory"' <<<"$said")"
	within "bindings" $(($(slab_bytes fastnat_binding) - bindings)) "$(jq '."binding-memory"' <<<"$said")"
}

the_tables_grow_to_what_was_said() {
	local said
	said=$(size)
	comes_true "the size that was said" 8 buckets_are "$(jq .buckets <<<"$said")"
	is "memory of the tables" "$(fn --json stats table | jq 'map(.buckets) | add')" \
		"$(jq '."table-memory" / ."bucket-bytes"' <<<"$said")"
}

files_of_proc_say_it_too() {
	[[ $(at "$gw" cat /proc/sys/net/fastnat/flows 2>&1) =~ ^[0-9]+$ ]] || { skip "no /proc/sys/net/fastnat"; return; }
	is "flows, bindings, limits, buckets" "$(at "$gw" cat /proc/sys/net/fastnat/{flows,bindings,max_flows,max_bindings,buckets} | paste -sd' ')" \
		"$COUNT $COUNT $COUNT $COUNT $(fn --json stats table | jq '.[0].buckets')"
	refuses "to write" at "$gw" bash -c 'echo 1 >/proc/sys/net/fastnat/max_flows'
	is "max-flows" "$(fn --json config show | jq '."max-flows"')" "$COUNT"
}

hole_topology
COUNT=$(affordable 60000)
tests_run
