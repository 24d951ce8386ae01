#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Many namespaces: they cost nearly nothing until they are configured, and little then; each
# keeps its own limits; and when they are gone, so is all that they had.
#
#   hundreds of namespaces, without links

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	namespaces_cost_nearly_nothing
	configured_ones_cost_little
	each_has_its_own_limits
	other_namespaces_keep_working
	all_is_given_back
	the_module_can_go
)

COUNT=$((400 / SLOW)) CONFIGURED=$((60 / SLOW))
PREFIX=fastnat-many-$$-

# kB of the kernel that are not free, but for caches of files; settles first.
kernel_kb() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^(MemFree|Cached|Buffers):/ { free += $2 } /^MemTotal:/ { total = $2 } END { print total - free }' /proc/meminfo
}

# own_kb: of the configured namespaces, by name: slabs, vmalloc and per-CPU memory.
own_kb() { awk '/^(Slab|VmallocUsed|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo; }

batch() { local i; for ((i = $1; i <= $2; i++)); do printf "$3 %s%d\n" "$PREFIX" "$i"; done | ip -batch -; }

namespaces_cost_nearly_nothing() {
	local before alone
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	before=$(own_kb)
	works "load" load_module
	alone=$(($(own_kb) - before))
	works "unload" rmmod fastnat
	batch 1 "$COUNT" "netns add"
	before=$(own_kb)
	works "load" load_module
	EACH=$((($(own_kb) - before - alone) * 1024 / COUNT))
	note "$COUNT namespaces: $EACH bytes each, the module itself $alone kB"
	((EACH < 4096)) || fail "bytes for each namespace: $EACH"
}

configured_ones_cost_little() {
	local i before said each
	before=$(own_kb)
	for ((i = 1; i <= CONFIGURED; i++)); do
		gw=$PREFIX$i configure config set --max-flows $((1000 + i))
	done
	said=$(gw=${PREFIX}1 fn --json config size --flows 1 --bindings 1 | jq '."total-memory"')
	each=$((($(own_kb) - before) * 1024 / CONFIGURED))
	note "$CONFIGURED configured ones: $each bytes each; said: $said, and counters for $(nproc) CPUs"
	((each < said + 65536)) || fail "bytes for each configured namespace: $each"
}

each_has_its_own_limits() {
	local i
	for i in 1 2 $((CONFIGURED / 2)) "$CONFIGURED"; do
		is "max-flows of $i" "$(gw=$PREFIX$i fn --json config show | jq '."max-flows"')" $((1000 + i))
	done
	isnt "max-flows of one that was not configured" "$(gw=$PREFIX$COUNT fn --json config show | jq '."max-flows"')" $((1000 + COUNT))
}

other_namespaces_keep_working() {
	hold u udp "$client" 10.0.0.2:4000
	like "server saw" "$(say u 192.0.2.2:53)" '^192\.0\.2\.1:'
	batch $((CONFIGURED / 2)) $((COUNT / 2)) "netns del"
	like "server saw" "$(say u 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "flows" "$(flows)" 1
}

# Namespaces go a moment after they were deleted.
net_namespaces() { awk '$1 == "net_namespace" { print $2 }' /proc/slabinfo; }
few_namespaces() { (($(net_namespaces) <= $1)); }

all_is_given_back() {
	local i
	batch 1 $((CONFIGURED / 2 - 1)) "netns del"
	batch $((COUNT / 2 + 1)) "$COUNT" "netns del"
	comes_true "the namespaces have gone" 30 few_namespaces $((BEFORE_COUNT + 20))
	comes_true "memory is back" 20 memory_back
	note "kB before, after: $BEFORE_KB, $(own_kb)"
	is "left" "$(ip netns list | grep -c "^$PREFIX")" 0
}

# Slabs stay partly filled: that is not a leak of so many namespaces.
memory_back() { (($(own_kb) < BEFORE_KB + COUNT * 8)); }

the_module_can_go() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	works "load" load_module
	gw=
}

gateway_topology
serve udp "$server" 192.0.2.2:53
trap 'ip netns list | sed -n "s/^\($PREFIX[^ ]*\).*/netns del \1/p" | ip -batch -; cleanup' EXIT
BEFORE_COUNT=$(net_namespaces) BEFORE_KB=$(own_kb)
tests_run
