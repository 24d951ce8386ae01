#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The command line: what it is told comes back, its exit codes are the documented
# ones, and what the kernel refuses is said in the kernel's words.
#
#   gw: one namespace, no links

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_policy_comes_back_as_it_was_given
	a_pool_comes_back_as_it_was_given
	settings_come_back_as_they_were_given
	lists_of_devices_are_replaced
	every_listing_is_json_on_demand
	a_policy_may_be_made_from_within_the_namespace
	policies_are_loaded_from_a_file
	a_bad_line_keeps_the_file_out
	a_refused_line_is_named
	refusals_exit_1_and_say_why
	nothing_changed_by_them
	wrong_usage_exits_2
	an_unprivileged_user_exits_4
	a_container_may_lower_its_limits_only
	without_the_module_it_exits_3
)

# status WANT CMD…: the exit status, and a word on stderr if it is not 0.
status() {
	local want=$1 got=0
	shift
	"$@" >"$TMP/out" 2>"$TMP/err" || got=$?
	is "exit status of '${*:4}'" "$got" "$want" || note "$(head -n2 "$TMP/err")"
	((want == 0)) || [[ -s $TMP/err ]] || fail "'${*:4}' says nothing on stderr"
	((want == 0)) || [[ ! -s $TMP/out ]] || fail "'${*:4}' prints a result though it failed"
}
cli() { status "$1" "$FASTNAT" --netns "$gw" "${@:2}"; }

a_policy_comes_back_as_it_was_given() {
	configure pool add out --range 203.0.113.1
	cli 0 policy add snat --pool out --src 10.0.0.0/8 --dst 192.0.2.0/24 --proto udp \
		--sport 1000-2000 --dport 53 --in lan0 --out wan0 --mark 0x1/0xff --priority 77 --id 42 \
		--expiry absolute --timeout-tcp 1h --timeout-udp 30s --timeout-icmp 5 --tcp-fin \
		--offload on --offload-after 9
	is "printed" "$(cat "$TMP/out")" "policy 42"
	is "listed" "$(fn --json policy list | jq -cS '.[0] | del(.flows, .hits, .refused)')" "$(jq -ncS '{
		id: 42, priority: 77, action: "snat", proto: "udp", pool: "out",
		"src-addr": "10.0.0.0", "src-prefix": 8, "dst-addr": "192.0.2.0", "dst-prefix": 24,
		"src-port-min": 1000, "src-port-max": 2000, "dst-port-min": 53, "dst-port-max": 53,
		"in-iface": "lan0", "out-iface": "wan0", mark: 1, "mark-mask": 255, expiry: "absolute",
		"timeout-tcp": 3600, "timeout-udp": 30, "timeout-icmp": 5, "tcp-fin": true,
		offload: "on", "offload-after": 9}')"
	cli 0 policy add dnat --to 10.0.0.2:8000-8009 --dst 192.0.2.1 --proto tcp --dport 80-89 --id 43
	is "listed" "$(fn --json policy list | jq -cS '.[] | select(.id == 43) |
		[.action, ."to-addr", ."to-port-min", ."to-port-max", ."dst-prefix"]')" '["dnat","10.0.0.2",8000,8009,32]'
	cli 0 policy list
	like "as text" "$(cat "$TMP/out")" '42.*snat.* on after 9'
	cli 0 policy add masquerade --id 44 --offload inherit --offload-after 0
	cli 0 policy add masquerade --id 45 --offload off --offload-after 255
	is "as the settings, and off" "$(fn --json policy list | jq -c '.[] | select(.id > 43) | [.offload, ."offload-after"]' | xargs)" \
		'[null,null] [off,255]'
	cli 0 policy del 44 45
	cli 0 policy del 42
	cli 0 policy del 43
	is "left" "$(fn --json policy list | jq length)" 0
}

a_pool_comes_back_as_it_was_given() {
	cli 0 pool add big --range 203.0.113.16/28 --range 203.0.113.40-203.0.113.41 --ports 1024-2047 --allocation preserve --parity
	is "listed" "$(fn --json pool list | jq -cS '.[] | select(.name == "big")')" "$(jq -ncS '{
		name: "big", range: [{"addr-min": "203.0.113.16", "addr-max": "203.0.113.31"}, {"addr-min": "203.0.113.40", "addr-max": "203.0.113.41"}],
		"port-min": 1024, "port-max": 2047, "allocation": "preserve", parity: true, inside: [], policies: 0, bindings: 0}')"
	cli 0 pool del big
}

settings_come_back_as_they_were_given() {
	cli 0 config set --max-flows 1234 --max-bindings 2345 --timeout-tcp 600 --timeout-udp 60 \
		--timeout-icmp 6 --conntrack tracked --buckets 4096 --timeout-tcp-transitory 20 --numa local \
		--events flow --offload on --offload-after 7 --offload-exempt-mark 0x10/0xff --offload-exempt-dev wg0 lan7 \
		--early-dev wan0 nosuch0 --port-rest 30s --icmp-refused off --hold-syn 20
	is "shown" "$(fn --json config show | jq -cS .)" "$(jq -ncS '{"max-flows": 1234,
		"max-bindings": 2345, "timeout-tcp": 600, "timeout-udp": 60, "timeout-icmp": 6, "port-rest": 30, conntrack: "tracked",
		buckets: 4096, "timeout-tcp-transitory": 20, numa: "local", events: "flow",
		offload: "on", "offload-after": 7, "offload-exempt-mark": 16, "offload-exempt-mask": 255,
		"offload-exempt-devices": {name: ["wg0", "lan7"]}, "early-devices": {name: ["wan0", "nosuch0"]}, "icmp-refused": "off", "hold-syn": 20}')"
	cli 0 config set --timeout-udp 61
	is "one alone" "$(fn --json config show | jq -c '[."max-flows", ."timeout-udp", .offload]')" '[1234,61,"on"]'
	cli 0 config set --offload-exempt-mark 7
	is "a mark alone" "$(fn --json config show | jq -c '[."offload-exempt-mark", ."offload-exempt-mask"]')" '[7,4294967295]'
	cli 0 config set --offload off --offload-exempt-mark none
	is "no mark" "$(fn --json config show | jq -c '[.offload, ."offload-exempt-mark", ."offload-exempt-mask"]')" '["off",0,0]'
}

# devices LIST: the names in it.
devices() { fn --json config show | jq -c --arg list "$1-devices" '.[$list].name'; }

lists_of_devices_are_replaced() {
	local many list
	many=$(printf 'name-of-15-ch%02d ' {1..16})
	for list in offload-exempt early; do
		cli 0 config set "--$list-dev" eth0 "--$list-dev" eth1 --offload off
		is "$list, two" "$(devices "$list")" '["eth0","eth1"]'
		cli 0 config show
		like "$list, as text" "$(cat "$TMP/out")" "$list-dev +eth0 eth1"
		cli 0 config set --offload on
		is "$list, not mentioned" "$(devices "$list")" '["eth0","eth1"]'
		# shellcheck disable=SC2086 # words
		cli 0 config set "--$list-dev" $many
		is "$list, sixteen" "$(devices "$list" | jq length)" 16
		# shellcheck disable=SC2086 # words
		cli 1 config set --offload off "--$list-dev" $many one-more
		like "says" "$(cat "$TMP/err")" "at most 16.*$list-devices"
		is "$list, as before" "$(devices "$list" | jq length) $(fn --json config show | jq -r .offload)" "16 on"
		cli 0 config set "--$list-dev" none
		is "$list, none" "$(devices "$list")" '[]'
	done
	cli 0 config set --offload off
	cli 0 config show
	is "early devices as text, none" "$(grep -c early "$TMP/out")" 0
}

every_listing_is_json_on_demand() {
	local listing
	for listing in "policy list" "pool list" "flow list" "binding list"; do
		# shellcheck disable=SC2086 # two words
		is "$listing" "$(fn --json $listing | jq -r type)" array
	done
	is "stats" "$(fn --json stats | jq -r type)" object
	is "config show" "$(fn --json config show | jq -r type)" object
	is "stats has nodes" "$(fn --json stats | jq '.node[0] | has("id", "buckets", "flows", "bindings")' | sort -u)" true
}

a_policy_may_be_made_from_within_the_namespace() {
	works "add" ip netns exec "$gw" "$FASTNAT" policy add masquerade --out wan0 --id 50
	is "listed" "$(fn --json policy list | jq -c 'map(.id)')" '[50]'
	works "del" ip netns exec "$gw" "$FASTNAT" policy del 50
}

policies_are_loaded_from_a_file() {
	cat >"$TMP/file" <<-END
		# Some policies.

		masquerade --out wan0 --src 10.0.0.0/24 --priority 7
		  no-snat --dst 10.0.0.0/8 --priority 5 --id 71	# not inside
		snat --pool out --priority 6 --tcp-fin
	END
	cli 0 policy load "$TMP/file"
	is "printed" "$(cat "$TMP/out")" "3 policies added"
	is "listed" "$(fn --json policy list | jq -c 'map([.priority, .action])')" '[[5,"no-snat"],[6,"snat"],[7,"masquerade"]]'
	is "the given id" "$(fn --json policy list | jq '.[0].id')" 71
	is "users of the pool" "$(fn --json pool list | jq '.[] | select(.name == "out").policies')" 1
	status 0 "$FASTNAT" --json --netns "$gw" policy load - <<<'masquerade'
	is "as JSON" "$(jq -c 'map_values(length)' "$TMP/out")" '{"id":1,"older-flows":0}'
	# shellcheck disable=SC2046 # words
	cli 0 policy del $(fn --json policy list | jq '.[].id')
	cli 0 policy load /dev/null
	is "of an empty file" "$(cat "$TMP/out")" "0 policies added"
}

# no_load CODE WORDS: what is in the file is refused, and nothing of it is there.
no_load() {
	cli "$1" policy load "$TMP/file"
	like "says" "$(cat "$TMP/err")" "$2"
	is "policies" "$(fn --json policy list | jq length)" 0
}

a_bad_line_keeps_the_file_out() {
	printf 'masquerade\n\nmasquerade --src 10.0.0.0/33\n' >"$TMP/file"
	no_load 2 "$TMP/file:3: .*--src.*prefix length"
	printf 'masquerade\nsnat\n' >"$TMP/file"
	no_load 2 "$TMP/file:2: .*--pool"
	cli 1 policy load "$TMP/nosuch"
	like "says" "$(cat "$TMP/err")" "cannot read $TMP/nosuch"
}

a_refused_line_is_named() {
	printf 'masquerade\n# all\nsnat --pool nosuch\nmasquerade\n' >"$TMP/file"
	no_load 1 "$TMP/file:3: there is no such pool.*policy.pool.*; nothing was added"
	printf 'masquerade --id 5\nmasquerade\nmasquerade --id 5\n' >"$TMP/file"
	no_load 1 "$TMP/file:3: .*policy.id"
	printf 'masquerade\nmasquerade --sport 5\n' >"$TMP/file"
	no_load 1 "$TMP/file:2: ports need a protocol.*policy.src-port-min"
	# Of 3000 lines the first 2048 are one request.
	{ yes masquerade | head -n 2500; echo "snat --pool nosuch"; } >"$TMP/file"
	cli 1 policy load "$TMP/file"
	like "says" "$(cat "$TMP/err")" "$TMP/file:2501: .*; 2048 policies were added before"
	is "policies" "$(fn --json policy list | jq length)" 2048
	ip netns del "$gw"
	ip netns add "$gw"
	configure pool add out --range 203.0.113.1
}

state() { fn --json policy list; fn --json pool list; fn --json config show; }

refusals_exit_1_and_say_why() {
	configure policy add snat --pool out --id 60
	state >"$TMP/before"
	cli 1 policy add masquerade --out wan0 --id 60
	cli 1 policy add snat --pool nosuch
	like "says" "$(cat "$TMP/err")" '[Pp]ool'
	cli 1 policy del 999
	cli 1 pool add out --range 203.0.113.99
	cli 1 pool del out
	like "says" "$(cat "$TMP/err")" '([Pp]olic|in use|[Bb]usy)'
	cli 1 pool del nosuch
	cli 1 flow get --proto udp --src 10.0.0.2:1 --dst 192.0.2.2:1
	cli 1 policy add dnat --to 10.0.0.2:80-90 --dst 192.0.2.1 --proto tcp --dport 80-81
	cli 1 binding add --policy 60 --proto tcp --inside 10.0.0.2:0 --outside 203.0.113.1:80
	like "says" "$(cat "$TMP/err")" 'port 0.*inside-port'
	cli 1 binding add --policy 60 --proto udp --inside 10.0.0.2:80 --outside 203.0.113.1:0
	like "says" "$(cat "$TMP/err")" 'port 0.*outside-port'
}

nothing_changed_by_them() {
	state >"$TMP/after"
	works "sameness" cmp "$TMP/before" "$TMP/after"
}

wrong_usage_exits_2() {
	cli 2 frobnicate
	cli 2 policy
	cli 2 policy add
	cli 2 policy add sideways
	cli 2 policy add masquerade --src 300.0.0.1
	cli 2 policy add masquerade --src 10.0.0.0/33
	cli 2 policy add masquerade --sport 70000
	cli 2 policy add masquerade --nosuch 1
	cli 2 policy del notanumber
	cli 2 pool add
	cli 2 config set --max-flows many
	cli 2 config set --offload perhaps
	cli 2 config set --offload-after 0
	cli 2 config set --offload-exempt-mark 0x100/0xff
	cli 2 policy add masquerade --offload-after 256
	cli 2 policy add no-snat --offload off
	cli 0 --help
}

an_unprivileged_user_exits_4() {
	status 4 nsenter --net="/run/netns/$gw" setpriv --reuid 65534 --regid 65534 --clear-groups "$FASTNAT" policy list
	status 4 nsenter --net="/run/netns/$gw" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$FASTNAT" policy add masquerade --out wan0
	status 4 nsenter --net="/run/netns/$gw" unshare --user --map-root-user "$FASTNAT" policy add masquerade --out wan0
	works "root of its own network" unshare --user --map-root-user --net "$FASTNAT" policy add masquerade --out wan0
}

a_container_may_lower_its_limits_only() {
	local name default
	for name in max-flows max-bindings; do
		default=$(unshare --user --map-root-user --net "$FASTNAT" --json config show | jq ".\"$name\"")
		at_least "default of $name" "$default" 1
		# shellcheck disable=SC2016 # expands inside
		status 4 unshare --user --map-root-user --net bash -c \
			'"$1" config set --timeout-udp 99 "--$2" "$3"' raise "$FASTNAT" "$name" $((default + 1))
		like "says" "$(cat "$TMP/err")" "administrator.*attribute $name"
		# shellcheck disable=SC2016 # expands inside
		status 0 unshare --user --map-root-user --net bash -c '
			"$1" config set "--$2" $(($3 + 1)) 2>/dev/null
			"$1" config set "--$2" 10 && "$1" config set "--$2" "$3" && "$1" config set "--$2" 11 &&
			"$1" --json config show' lower "$FASTNAT" "$name" "$default"
		is "$name" "$(jq ".\"$name\"" "$TMP/out")" 11
		cli 0 config set "--$name" $((default + 1))
		is "raised by the host" "$(fn --json config show | jq ".\"$name\"")" $((default + 1))
	done
}

# The module must not come back by itself while that is tried.
without_the_module_it_exits_3() {
	local modprobe
	modprobe=$(cat /proc/sys/kernel/modprobe)
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	echo /bin/false >/proc/sys/kernel/modprobe
	works "rmmod" rmmod fastnat
	cli 3 policy list
	echo "$modprobe" >/proc/sys/kernel/modprobe
	works "load" load_module
	cli 0 policy list
}

setup_ns gw
tests_run
