#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Policies for interfaces whose names begin alike ('wan*'), and for groups of interfaces: those that
# come later count, groups are as they are now, and priority alone decides between policies.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#   client2           |   ppp7 ---------------- eth7, later
#   10.0.1.2 ------- lan1 198.51.100.1   198.51.100.2
#                             pools a, b, c: 203.0.113.10, .20, .30

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_pattern_catches_an_interface_that_comes_later
	a_pattern_leaves_others_alone
	priority_decides_not_precision
	a_group_is_what_it_is_now
	input_by_pattern_and_by_group
	the_gateways_own_packets_come_in_nowhere
	dnat_by_pattern_and_by_group
	errors_about_what_was_let_in_find_back
	they_are_listed_as_they_were_asked_for
	a_group_has_a_name
	what_cannot_be_meant_is_refused
)

A='^203\.0\.113\.10:' B='^203\.0\.113\.20:' C='^203\.0\.113\.30:'

three_pools() {
	unconfigure
	configure pool add a --range 203.0.113.10
	configure pool add b --range 203.0.113.20
	configure pool add c --range 203.0.113.30
}

group() { ip -n "$gw" link set "$1" group "$2"; }

a_pattern_catches_an_interface_that_comes_later() {
	unconfigure
	configure policy add masquerade --out 'ppp*'
	cable "$gw" ppp7 198.51.100.1/24 "$server" eth7 198.51.100.2/24
	apply
	serve udp "$server" 198.51.100.2:53
	like "by ppp7" "$(ask udp "$client" - 198.51.100.2:53)" '^198\.51\.100\.1:'
}

a_pattern_leaves_others_alone() {
	is "by wan0" "$(silent ask udp "$client" - 192.0.2.2:53)" timeout
	configure policy add masquerade --out 'wan0x*'
	configure policy add masquerade --out 'an*'
	is "by wan0, with patterns that are not quite it" "$(silent ask udp "$client" - 192.0.2.2:53)" timeout
	configure policy add masquerade --out 'wan0*'
	like "with nothing behind the beginning" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
}

priority_decides_not_precision() {
	three_pools
	configure policy add snat --pool a --out wan0 --priority 30
	like "the name" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
	configure policy add snat --pool b --out 'w*' --priority 20
	like "the pattern before it" "$(ask udp "$client" - 192.0.2.2:53)" "$B"
	configure policy add snat --pool c --out-group default --priority 10
	like "the group before it" "$(ask udp "$client" - 192.0.2.2:53)" "$C"
	configure policy add snat --pool a --out 'wan*' --priority 5
	like "a longer pattern before it" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
}

a_group_is_what_it_is_now() {
	three_pools
	configure policy add snat --pool a --out-group 7
	hold old udp "$client" 10.0.0.2:5000
	is "not in the group" "$(silent say old 192.0.2.2:53)" timeout
	group wan0 7
	like "in the group" "$(say old 192.0.2.2:53)" "$A"
	group wan0 default
	like "an old flow, when it has left the group" "$(say old 192.0.2.2:53)" "$A"
	is "a new one" "$(silent ask udp "$client" - 192.0.2.2:53)" timeout
	agent close old >/dev/null
}

input_by_pattern_and_by_group() {
	three_pools
	group lan1 0x10
	configure policy add snat --pool a --in 'lan*' --priority 20
	configure policy add snat --pool b --in-group 16 --out 'wan*' --priority 10
	like "from lan0" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
	like "from lan1" "$(ask udp "$client2" - 192.0.2.2:53)" "$B"
	group lan1 default
	like "from lan1, without its group" "$(ask udp "$client2" - 192.0.2.2:53)" "$A"
}

# From an address that is not that of wan0, so that they would be translated.
the_gateways_own_packets_come_in_nowhere() {
	three_pools
	configure policy add snat --pool a --in-group 0
	configure policy add snat --pool b --in 'l*'
	is "by group and pattern" "$(silent ask udp "$gw" 10.0.0.1:0 192.0.2.2:53)" timeout
	configure policy add snat --pool c --out-group 0
	like "by where it leaves" "$(ask udp "$gw" 10.0.0.1:0 192.0.2.2:53)" "$C"
}

dnat_by_pattern_and_by_group() {
	unconfigure
	configure policy add dnat --in 'wan*' --dst 203.0.113.80 --proto udp --to 10.0.0.2
	configure policy add dnat --in-group 9 --dst 203.0.113.80 --proto udp --to 10.0.1.2 --priority 1
	is "by pattern" "$(ask udp "$server" 192.0.2.3:6000 203.0.113.80:80)" 192.0.2.3:6000
	is "came" "$(heard udp "$client" 80)" "192.0.2.3:6000"
	group wan0 9
	is "by group" "$(ask udp "$server" 192.0.2.3:6001 203.0.113.80:80)" 192.0.2.3:6001
	is "came to the other" "$(heard udp "$client2" 80)" "192.0.2.3:6001"
	group wan0 default
}

errors_about_what_was_let_in_find_back() {
	local seen way
	group wan0 9
	for way in "--out wan*" "--out-group 9"; do
		unconfigure
		# shellcheck disable=SC2086 # two words
		configure policy add masquerade $way
		hold closed udp "$client" 10.0.0.2:5100
		seen=$(say closed 192.0.2.2:53)
		like "outside, $way" "$seen" '^192\.0\.2\.1:'
		agent close closed >/dev/null
		is "a stranger at a closed port, $way" "$(ask udp "$server" 192.0.2.4:0 "$seen")" refused
	done
	group wan0 default
}

they_are_listed_as_they_were_asked_for() {
	unconfigure
	configure policy add masquerade --in 'fourteen-chars*' --out-group 4294967295
	configure policy add no-dnat --in-group 0 --priority 2000
	is "json" "$(fn --json policy list | jq -c 'map([."in-iface", ."in-group", ."out-iface", ."out-group"])')" \
		'[["fourteen-chars*",null,null,4294967295],[null,0,null,null]]'
	like "in words" "$(fn policy list)" 'in fourteen-chars\* out-group 4294967295 .* in-group default '
}

# with_groups COMMAND…: while /etc has a file of groups, for nobody else.
with_groups() {
	unshare -m bash -c 'mount -t tmpfs none /etc && mkdir /etc/iproute2 &&
		printf "%s\n" "# groups" "0x20 uplinks" >/etc/iproute2/group && "$@"' - "$@"
}

a_group_has_a_name() {
	unconfigure
	works "add" with_groups "$FASTNAT" --netns "$gw" policy add masquerade --out-group uplinks
	is "its number" "$(values out-group "$(fn --json policy list)")" 32
	like "its name" "$(with_groups "$FASTNAT" --netns "$gw" policy list)" 'out-group uplinks'
	like "without the file" "$(fn policy list)" 'out-group 32'
	refuses "a name that is not there" with_groups "$FASTNAT" --netns "$gw" policy add masquerade --out-group wan
}

# says WHAT PATTERN WORDS…: is refused with that message.
says() {
	local message
	message=$(fn "${@:3}" 2>&1) && fail "$1: accepted"
	like "$1" "$message" "$2"
}

what_cannot_be_meant_is_refused() {
	unconfigure
	says "every interface" 'a \* alone' policy add masquerade --out '*'
	says "a star in front" 'only be its last character' policy add masquerade --in '*0'
	says "a star within" 'only be its last character' policy add masquerade --in 'e*h0'
	says "two stars" 'only be its last character' policy add masquerade --out 'eth**'
	says "a name that is too long" '1 to 15 characters' policy add masquerade --out 'fifteen-letters*'
	says "both" 'cannot be used with' policy add masquerade --out wan0 --out-group 1
	says "before routing" 'not known before routing' policy add dnat --to 10.0.0.2 --out 'wan*'
	says "before routing, a group" 'not known before routing' policy add no-dnat --out-group 1
	is "policies" "$(fn --json policy list)" '[]'
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve udp "$client" 10.0.0.2:80
serve udp "$client2" 10.0.1.2:80
load_module
tests_run
