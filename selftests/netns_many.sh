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
	others_keep_working_when_some_go
	all_is_given_back
	the_module_can_go
)

COUNT=$((200 / SLOW)) CONFIGURED=$((32 / SLOW))
PREFIX=fastnat-many-$$-

# What may have grown with the namespaces. Slabs that are empty do not count.
own_kb() {
	local cache
	for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done 2>/dev/null
	awk '/^(Slab|VmallocUsed|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo
}

# batch FIRST LAST WORDS: ip's words, for each of these namespaces.
batch() { local i; for ((i = $1; i <= $2; i++)); do printf "$3 %s%d\n" "$PREFIX" "$i"; done | ip -batch -; }

namespaces_cost_nearly_nothing() {
	local before alone
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	before=$(own_kb)
	works "load" load_module
	alone=$(($(own_kb) - before))
	# Memory that others gave back meanwhile.
	((alone > 0)) || alone=0
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

others_keep_working_when_some_go() {
	configure policy add masquerade --out wan0
	hold u udp "$client" 10.0.0.2:4000
	like "server saw" "$(say u 192.0.2.2:53)" '^192\.0\.2\.1:'
	batch $((CONFIGURED / 2)) $((COUNT / 2)) "netns del"
	like "server saw" "$(say u 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "flows" "$(flows)" 1
}

# Whatever namespaces leave behind in caches they have left behind by then.
all_is_given_back() {
	local before i
	batch 1 $((CONFIGURED / 2 - 1)) "netns del"
	batch $((COUNT / 2 + 1)) "$COUNT" "netns del"
	is "left" "$(ip netns list | grep -c "^$PREFIX")" 0
	! dmesg | grep -q 'KernelAddressSanitizer initialized' || { skip "KASAN keeps what was freed"; return; }
	comes_true "memory has settled" 30 settled
	before=$SETTLED_KB
	batch 1 "$CONFIGURED" "netns add"
	for ((i = 1; i <= CONFIGURED; i++)); do
		gw=$PREFIX$i configure config set --max-flows 1000
	done
	batch 1 "$CONFIGURED" "netns del"
	comes_true "memory is back" 30 memory_back $((before + CONFIGURED * 8))
	note "kB before, and after $CONFIGURED more: $before, $(own_kb)"
}

# The same as a moment ago; the last namespaces go only when another one does.
settled() {
	local before=${SETTLED_KB:-0}
	ip netns add "${PREFIX}last" && ip netns del "${PREFIX}last"
	sleep 1
	SETTLED_KB=$(own_kb)
	((SETTLED_KB >= before - 100 && SETTLED_KB <= before + 100))
}

memory_back() {
	ip netns add "${PREFIX}last" && ip netns del "${PREFIX}last"
	(($(own_kb) < $1))
}

the_module_can_go() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	works "load" load_module
	gw=
}

gateway_topology
serve udp "$server" 192.0.2.2:53
trap 'ip netns list | sed -n "s/^\(${PREFIX}[^ ]*\).*/netns del \1/p" | ip -batch -; cleanup' EXIT
tests_run
