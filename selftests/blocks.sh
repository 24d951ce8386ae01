#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Ports in blocks for each inside host (RFC 6888 REQ-14), and by arithmetic (RFC 7422).
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#   client2           |
#   10.0.1.2 ------- lan1       pools: 203.0.113.5, and .5 to .8

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_host_stays_in_its_block
	it_gets_another_when_that_is_full
	up_to_a_limit
	at_other_addresses_too
	hosts_do_not_share
	no_block_is_left
	one_record_for_each
	an_idle_block_is_taken_back
	not_while_it_is_used
	by_request_its_own
	deterministic_as_it_is_computed
	deterministic_both_ways
	who_has_no_ports_gets_none
	deterministic_by_request
	wrong_pools_are_refused
	nothing_stays
)

# blocks WORDS…: a pool of 203.0.113.5 in place of what was there.
blocks() {
	unconfigure
	configure config set --port-rest 120
	configure pool add cgn --range 203.0.113.5 --allocation block "$@"
	configure policy add snat --pool cgn --out wan0 --id 7
	NEXT=4000
}

# fresh HOST: what a new endpoint of the namespace's host is seen as, in SEEN.
fresh() {
	local addr=10.0.0.2
	[[ $1 == "$client" ]] || addr=10.0.1.2
	NEXT=$((NEXT + 1))
	SEEN=$(silent ask udp "$1" "$addr:$NEXT" 192.0.2.2:53)
}

# block: the first port of the block of the endpoint seen, with blocks of SIZE from FIRST on.
block() { echo $(((${SEEN#*:} - $2) / $1)); }

given() { fn --json pool blocks | jq -r 'map(."inside-addr") | join(" ")'; }

a_host_stays_in_its_block() {
	local i first
	blocks --block-size 64
	fresh "$client"
	like "outside" "$SEEN" '^203\.0\.113\.5:'
	first=$(block 64 1024)
	for i in 1 2 3 4 5 6 7; do
		fresh "$client"
		is "block $i" "$(block 64 1024)" "$first"
	done
	SEEN=$(ask tcp "$client" 10.0.0.2:4100 192.0.2.2:80)
	is "by TCP" "$(block 64 1024)" "$first"
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
	is "listed" "$(fn --json pool blocks | jq -c '.[] | [.pool, ."inside-addr", ."outside-addr", ."port-min", ."port-max", .bindings]')" \
		"[\"cgn\",\"10.0.0.2\",\"203.0.113.5\",$((1024 + first * 64)),$((1087 + first * 64)),10]"
}

it_gets_another_when_that_is_full() {
	local i seen=()
	blocks --block-size 4 --ports 2000-2099
	for _ in 1 2 3 4 5 6; do
		fresh "$client"
		seen+=("$(block 4 2000)")
	done
	is "blocks" "$(printf '%s\n' "${seen[@]}" | sort -u | wc -l)" 2
	is "the first is filled first" "${seen[0]} ${seen[0]} ${seen[0]}" "${seen[1]} ${seen[2]} ${seen[3]}"
	is "given" "$(given)" "10.0.0.2 10.0.0.2"
}

up_to_a_limit() {
	local i before
	blocks --block-size 4 --ports 2000-2099 --max-blocks 2
	for i in 1 2 3 4 5 6 7 8; do
		fresh "$client"
		like "port $i" "$SEEN" '^203'
	done
	before=$(counter drop-blocks)
	fresh "$client"
	like "a ninth" "$SEEN" '^(timeout|EHOSTUNREACH)$'
	at_least "drop-blocks" "$(counter drop-blocks)" $((before + 1))
	fresh "$client2"
	like "another host" "$SEEN" '^203'
}

# One block at each of sixteen addresses.
at_other_addresses_too() {
	local i
	unconfigure
	configure pool add cgn --range 203.0.113.0/28 --ports 2000-2003 --allocation block --block-size 4 --max-blocks 3
	configure policy add snat --pool cgn --out wan0 --id 7
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		fresh "$client"
		like "port $i" "$SEEN" '^203'
	done
	is "addresses" "$(fn --json pool blocks | jq 'map(."outside-addr") | unique | length')" 3
	fresh "$client"
	like "one more" "$SEEN" '^(timeout|EHOSTUNREACH)$'
	is "given" "$(given)" "10.0.0.2 10.0.0.2 10.0.0.2"
}

hosts_do_not_share() {
	local mine
	blocks --block-size 64
	fresh "$client"
	mine=$(block 64 1024)
	fresh "$client2"
	isnt "the other's" "$(block 64 1024)" "$mine"
	is "given" "$(given | tr ' ' '\n' | sort | tr '\n' ' ')" "10.0.0.2 10.0.1.2 "
}

no_block_is_left() {
	blocks --block-size 4 --ports 2000-2003
	fresh "$client"
	like "the first host" "$SEEN" '^203'
	before=$(counter drop-ports)
	fresh "$client2"
	like "the second host" "$SEEN" '^(timeout|EHOSTUNREACH)$'
	at_least "drop-ports" "$(counter drop-ports)" $((before + 1))
	fresh "$client"
	like "the first host again" "$SEEN" '^203'
}

heard() { grep -c "$1" "$TMP/events"; }
heard_are() { [[ $(heard "$1") == "$2" ]]; }

one_record_for_each() {
	local i
	blocks --block-size 4 --ports 2000-2099
	"$FASTNAT" --netns "$gw" --json monitor --blocks --timeout 60s >"$TMP/events" &
	monitor=$!
	comes_true "listening" 10 heard_are listening 1
	for _ in 1 2 3 4 5; do
		fresh "$client"
	done
	comes_true "two blocks" 10 heard_are block-created 2
	is "who" "$(jq -r 'select(.event == "block-created") | ."inside-addr"' "$TMP/events" | sort -u)" 10.0.0.2
	is "destinations" "$(heard 192.0.2.2)" 0
}

an_idle_block_is_taken_back() {
	configure config set --port-rest 2
	configure flow flush
	comes_true "both are" 15 heard_are block-ended 2
	kill "$monitor"
	wait "$monitor"
	is "given" "$(given)" ""
}

not_while_it_is_used() {
	blocks --block-size 4 --ports 2000-2099 --max-blocks 1
	configure config set --port-rest 0
	hold u udp "$client" 10.0.0.2:4200
	hold v udp "$client2" 10.0.1.2:4200
	like "one" "$(say u 192.0.2.2:53)" '^203'
	SEEN=$(say v 192.0.2.2:53)
	configure binding add --policy 7 --proto tcp --inside 10.0.0.2:4200 --outside 203.0.113.5:3000 --lifetime 2s
	comes_true "time passes" 10 binding_gone
	is "the same" "$(say v 192.0.2.2:53)" "$SEEN"
	is "given" "$(given | wc -w)" 2
	configure flow flush
	comes_true "all are taken back" 10 none_given
}

binding_gone() { ! fn binding list | grep -q 3000; }
none_given() { [[ ! $(given) ]]; }

by_request_its_own() {
	local mine
	blocks --block-size 10 --ports 2000-2099
	fresh "$client"
	mine=$(block 10 2000)
	refuses "in the block of another" fn binding add --policy 7 --proto udp --inside 10.0.1.2:5000 \
		--outside "203.0.113.5:$((2000 + mine * 10 + 5))"
	works "beside it" fn binding add --policy 7 --proto tcp --inside 10.0.1.2:5000 \
		--outside "203.0.113.5:$((2000 + (mine + 1) % 10 * 10))"
	works "any" fn binding add --policy 7 --proto udp --inside 10.0.1.2:5001 --outside 203.0.113.5
	is "given" "$(given | tr ' ' '\n' | sort | tr '\n' ' ')" "10.0.0.2 10.0.1.2 "
}

# deterministic: 10.0.0.0 to 10.0.1.255 share four addresses.
deterministic() {
	unconfigure
	configure pool add det --range 203.0.113.5-203.0.113.8 --allocation deterministic --inside 10.0.0.0/23
	configure policy add snat --pool det --out wan0 --id 7
	NEXT=4000
}

map() { "$FASTNAT" --json pool map "$@" --range 203.0.113.5-203.0.113.8 --inside 10.0.0.0/23; }

deterministic_as_it_is_computed() {
	local i own
	deterministic
	own=$(map 10.0.0.2)
	for _ in 1 2 3 4; do
		fresh "$client"
		is "address" "${SEEN%:*}" "$(jq -r '."outside-addr"' <<<"$own")"
		at_least "port" "${SEEN#*:}" "$(jq '."port-min"' <<<"$own")"
		at_least "last port" "$(jq '."port-max"' <<<"$own")" "${SEEN#*:}"
	done
	is "by name" "$(fn --json pool map 10.0.0.2 --name det)" "$own"
	is "ports of each" "$(fn --json pool list | jq '.[0]."block-size"')" 504
}

deterministic_both_ways() {
	fresh "$client2"
	is "who" "$(map "$SEEN" | jq -r '."inside-addr"')" 10.0.1.2
	SEEN=$(ask tcp "$client" 10.0.0.2:4300 192.0.2.2:80)
	is "who" "$(map "$SEEN" | jq -r '."inside-addr"')" 10.0.0.2
	is "all" "$(map | jq length)" 512
}

who_has_no_ports_gets_none() {
	local before
	unconfigure
	configure pool add det --range 203.0.113.5 --allocation deterministic --inside 10.0.1.0/24
	configure policy add snat --pool det --out wan0 --id 7
	before=$(counter drop-address)
	fresh "$client"
	like "not inside" "$SEEN" '^(timeout|EHOSTUNREACH)$'
	at_least "drop-address" "$(counter drop-address)" $((before + 1))
	fresh "$client2"
	like "inside" "$SEEN" '^203'
}

deterministic_by_request() {
	local own port
	deterministic
	own=$(map 10.0.0.2) port=$(map 10.0.0.2 | jq '."port-min"')
	works "its own" fn binding add --policy 7 --proto tcp --inside 10.0.0.2:80 --outside "$(jq -r '."outside-addr"' <<<"$own"):$port"
	refuses "another's port" fn binding add --policy 7 --proto tcp --inside 10.0.0.2:81 --outside "203.0.113.5:$((port - 1))"
	refuses "another's address" fn binding add --policy 7 --proto tcp --inside 10.0.0.2:81 --outside 203.0.113.8
	refuses "a stranger" fn binding add --policy 7 --proto tcp --inside 10.9.0.2:81 --outside 203.0.113.5
}

wrong_pools_are_refused() {
	unconfigure
	refuses "without addresses" fn pool add a --allocation block
	refuses "blocks too long" fn pool add a --range 203.0.113.5 --allocation block --ports 2000-2099 --block-size 101
	refuses "too many blocks" fn pool add a --range 198.18.0.0/16 --allocation block --block-size 1
	refuses "blocks of random" fn pool add a --range 203.0.113.5 --block-size 64
	refuses "nobody inside" fn pool add a --range 203.0.113.5 --allocation deterministic
	refuses "too few ports" fn pool add a --range 203.0.113.5 --allocation deterministic --inside 10.0.0.0/15
	refuses "inside of random" fn pool add a --range 203.0.113.5 --inside 10.0.0.0/24
	configure pool add a --range 203.0.113.5 --allocation block
	refuses "for masquerade" fn policy add masquerade --pool a
	is "pools" "$(fn --json pool list | jq length)" 1
}

nothing_stays() {
	unconfigure
	is "bindings" "$(bindings)" 0
	is "pools" "$(fn --json pool list | jq length)" 0
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
load_module
configure config set --max-flows 5000
tests_run
