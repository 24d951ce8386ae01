#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Networks mapped to networks, one to one: addresses keep their host part, and what is
# sent its port. In by dnat, out by snat, and between two inside hosts.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2, .3  10.0.0.1  192.0.2.1       192.0.2.2
#         mapped to 203.0.113.0/24

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	what_leaves_keeps_host_part_and_port
	what_comes_in_finds_the_same_host
	queries_keep_their_identifier
	errors_find_back_both_ways
	paths_are_discovered
	inside_hosts_meet_outside
	a_hairpin_is_not_exempted_by_its_inside
	with_an_output_interface_hairpins_need_a_policy
	one_binding_for_all_policies
	a_taken_port_is_refused
	without_dnat_a_binding_lets_in
	a_static_binding_is_the_mapping
	a_single_address_maps_to_another
	addresses_of_the_gateway_map_too
	a_port_may_be_mapped_too
	they_come_back_as_they_were_given
	what_makes_no_sense_is_refused
)

OUT=203.0.113

# The pair of policies that makes up a mapping.
pair() {
	configure policy add dnat --id 1 --dst "$OUT.0/24" --to 10.0.0.0/24
	configure policy add snat --id 2 --src 10.0.0.0/24 --to "$OUT.0/24"
}

what_leaves_keeps_host_part_and_port() {
	pair
	is "UDP" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" "$OUT.2:4000"
	is "of another host" "$(ask udp "$client" 10.0.0.3:4000 192.0.2.2:53)" "$OUT.3:4000"
	is "to another server" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.3:53)" "$OUT.2:4000"
	is "TCP" "$(ask tcp "$client" 10.0.0.2:4001 192.0.2.2:80)" "$OUT.2:4001"
	is "a low port" "$(ask udp "$client" 10.0.0.2:123 192.0.2.2:53)" "$OUT.2:123"
	is "a large transfer" "$(transfer "$client" "$server" 192.0.2.2 8000 1)" intact
}

what_comes_in_finds_the_same_host() {
	is "UDP" "$(ask udp "$server" 192.0.2.2:5000 "$OUT.2:6000")" 192.0.2.2:5000
	is "heard" "$(heard udp "$client" 6000)" 192.0.2.2:5000
	is "at the other host" "$(ask udp "$server" 192.0.2.2:5000 "$OUT.3:6001")" 192.0.2.2:5000
	is "heard" "$(heard udp "$client" 6001)" 192.0.2.2:5000
	is "TCP" "$(ask tcp "$server" 192.0.2.2:5001 "$OUT.2:6000")" 192.0.2.2:5001
	is "a large transfer" "$(transfer "$server" "$client" "$OUT.2" 8001 1)" intact
}

# The identifier that tcpdump saw of echo requests.
ids() { captured "$1" | grep -o 'echo request, id [0-9]*' | sort -u; }

queries_keep_their_identifier() {
	capture wire "$server" eth0 icmp
	works "ping out" at "$client" ping -qc1 -W5 -e 777 192.0.2.2
	works "ping in" at "$server" ping -qc1 -W5 -e 778 "$OUT.3"
	is "identifiers" "$(ids wire)" $'echo request, id 777\necho request, id 778'
	capture wire "$server" eth0 icmp
	works "ping again" at "$client" ping -qc1 -W5 -e 777 -I 10.0.0.3 192.0.2.2
	like "source" "$(captured wire)" "$OUT\.3 > 192\.0\.2\.2: ICMP echo request, id 777"
}

errors_find_back_both_ways() {
	is "a closed port outside" "$(ask udp "$client" 10.0.0.2:4010 192.0.2.2:9999)" refused
	is "a closed port inside" "$(ask udp "$server" 192.0.2.2:5010 "$OUT.2:9999")" refused
	capture error "$server" eth0 icmp
	is "a closed port inside" "$(ask udp "$server" 192.0.2.2:5011 "$OUT.3:9999")" refused
	like "who says so, of what" "$(captured error)" "$OUT\.3 > 192\.0\.2\.2: ICMP $OUT\.3 udp port 9999 unreachable"
}

paths_are_discovered() {
	width "$gw" lan0 1300
	refuses "too large" at "$server" ping -qc1 -W2 -M 'do' -s 1400 "$OUT.2"
	like "learned" "$(learned_mtu "$server" "$OUT.2")" 1300
	width "$gw" lan0 1500
	at "$server" ip route flush cache
}

inside_hosts_meet_outside() {
	local before
	before=$(counter hairpins)
	is "UDP" "$(ask udp "$client" 10.0.0.2:4020 "$OUT.3:6001")" "$OUT.2:4020"
	is "the other heard" "$(heard udp "$client" 6001)" "$OUT.2:4020"
	is "TCP" "$(ask tcp "$client" 10.0.0.3:4021 "$OUT.2:6000")" "$OUT.3:4021"
	is "a closed port" "$(ask udp "$client" 10.0.0.2:4022 "$OUT.3:9999")" refused
	works "ping" at "$client" ping -qc1 -W5 -I 10.0.0.2 "$OUT.3"
	at_least "hairpins" "$(counter hairpins)" $((before + 3))
}

a_hairpin_is_not_exempted_by_its_inside() {
	configure policy add no-snat --id 3 --priority 1 --dst 10.0.0.0/8
	is "UDP" "$(ask udp "$client" 10.0.0.2:4030 "$OUT.3:6001")" "$OUT.2:4030"
	configure policy del 3
}

with_an_output_interface_hairpins_need_a_policy() {
	works "another way out" fn policy del 2
	configure policy add snat --id 2 --src 10.0.0.0/24 --to "$OUT.0/24" --out wan0
	is "out" "$(ask udp "$client" 10.0.0.2:4031 192.0.2.2:53)" "$OUT.2:4031"
	configure policy add snat --id 3 --src 10.0.0.0/24 --dst 10.0.0.0/24 --to "$OUT.0/24"
	is "between two hosts" "$(ask udp "$client" 10.0.0.2:4032 "$OUT.3:6001")" "$OUT.2:4032"
	configure policy del 3
}

one_binding_for_all_policies() {
	configure policy add snat --id 4 --priority 1 --src 10.0.0.0/24 --dst 192.0.2.3 --to "$OUT.0/24"
	is "by the second policy" "$(ask udp "$client" 10.0.0.2:4040 192.0.2.2:53)" "$OUT.2:4040"
	is "by the first" "$(ask udp "$client" 10.0.0.2:4040 192.0.2.3:53)" "$OUT.2:4040"
	is "bindings" "$(fn --json binding list | jq '[.[] | select(."inside-port" == 4040)] | length')" 1
	configure policy del 4
}

a_taken_port_is_refused() {
	local before
	configure pool add one --range "$OUT.2" --ports 4050-4050
	configure policy add snat --id 5 --priority 1 --src 10.0.0.3 --dst 192.0.2.3 --pool one
	works "without dnat" fn policy del 1
	is "a pool takes it" "$(ask udp "$client" 10.0.0.3:4999 192.0.2.3:53)" "$OUT.2:4050"
	before=$(counter drop-ports)
	is "the owner by number is told" "$(ask udp "$client" 10.0.0.2:4050 192.0.2.2:53)" EHOSTUNREACH
	at_least "drop-ports" "$(counter drop-ports)" $((before + 1))
	works "free it" fn policy del 5
	is "then" "$(ask udp "$client" 10.0.0.2:4050 192.0.2.2:53)" "$OUT.2:4050"
}

# snat alone: what is in use lets in everybody, what is not nobody.
without_dnat_a_binding_lets_in() {
	hold bound udp "$client" 10.0.0.2:4060
	is "outside" "$(say bound 192.0.2.2:53)" "$OUT.2:4060"
	hold stranger udp "$server" 192.0.2.3:7000
	agent tell stranger "$OUT.2:4060" hello >/dev/null
	is "heard" "$(hear bound)" "192.0.2.3:7000 hello"
	isnt "to an unused port" "$(silent ask udp "$server" - "$OUT.2:6000")" "192.0.2.2"
	is "heard there" "$(heard udp "$client" 6000)" nobody
}

a_static_binding_is_the_mapping() {
	is "printed" "$(fn --json binding add --policy 2 --proto udp --inside 10.0.0.2:6000 --outside "$OUT.2" |
		jq -c '[."outside-addr", ."outside-port"]')" "[\"$OUT.2\",6000]"
	is "from outside" "$(ask udp "$server" 192.0.2.2:5060 "$OUT.2:6000")" 192.0.2.2:5060
	is "once more" "$(fn binding add --policy 2 --proto udp --inside 10.0.0.2:6000 --outside "$OUT.2:6000" 2>&1 |
		grep -c 'has a binding')" 1
	works "delete" fn binding del --proto udp --outside "$OUT.2:6000"
	like "another address" "$(fn binding add --policy 2 --proto udp --inside 10.0.0.2:6000 --outside "$OUT.3" 2>&1)" \
		'maps the inside address to another.*outside-addr'
	like "another port" "$(fn binding add --policy 2 --proto udp --inside 10.0.0.2:6000 --outside "$OUT.2:6001" 2>&1)" \
		'keeps the inside port.*outside-port'
	unconfigure
}

a_single_address_maps_to_another() {
	configure policy add dnat --dst "$OUT.200" --to 10.0.0.2
	configure policy add snat --src 10.0.0.2 --to "$OUT.200"
	is "out" "$(ask udp "$client" 10.0.0.2:4070 192.0.2.2:53)" "$OUT.200:4070"
	is "in" "$(ask udp "$server" 192.0.2.2:5070 "$OUT.200:6000")" 192.0.2.2:5070
	is "others stay" "$(silent ask udp "$client" 10.0.0.3:4070 192.0.2.2:53)" timeout
	unconfigure
}

addresses_of_the_gateway_map_too() {
	local last
	for last in 2 3; do
		works "an address" ip -n "$gw" addr add "192.0.2.20$last/24" dev wan0
		configure policy add dnat --dst "192.0.2.20$last" --to "10.0.0.$last"
		configure policy add snat --src "10.0.0.$last" --to "192.0.2.20$last" --out wan0
	done
	is "out" "$(ask udp "$client" 10.0.0.2:4080 192.0.2.2:53)" 192.0.2.202:4080
	is "in" "$(ask udp "$server" 192.0.2.2:5075 192.0.2.203:6001)" 192.0.2.2:5075
	is "between two hosts" "$(ask udp "$client" 10.0.0.2:4081 192.0.2.203:6001)" 192.0.2.202:4081
	unconfigure
}

a_port_may_be_mapped_too() {
	configure policy add dnat --dst "$OUT.0/24" --proto udp --dport 53 --to 10.0.0.0/24:6000
	is "in" "$(ask udp "$server" 192.0.2.2:5080 "$OUT.2:53")" 192.0.2.2:5080
	unconfigure
}

they_come_back_as_they_were_given() {
	configure policy add dnat --id 1 --dst "$OUT.0/25" --to 10.0.0.0/25
	configure policy add snat --id 2 --src 10.0.0.0/25 --to "$OUT.0/25" --filtering address-dependent
	configure policy add dnat --id 3 --dst "$OUT.128/25" --to 10.0.0.2
	configure policy add dnat --id 4 --dst "$OUT.9" --to 10.0.0.2/32
	is "listed" "$(fn --json policy list | jq -c 'map([."to-addr", ."to-prefix"])')" \
		"[[\"10.0.0.0\",25],[\"$OUT.0\",25],[\"10.0.0.2\",null],[\"10.0.0.2\",32]]"
	is "as text" "$(fn policy list | grep -c ' 10\.0\.0\.0/25 \| 203\.0\.113\.0/25 ')" 2
	unconfigure
	printf 'dnat --dst %s.0/24 --to 10.0.0.0/24\nsnat --src 10.0.0.0/24 --to %s.0/24\n' "$OUT" "$OUT" >"$TMP/file"
	is "loaded" "$(fn policy load "$TMP/file")" "2 policies added"
	unconfigure
}

# refusal WORDS OPTIONS…
refusal() {
	like "refusal of ${*:2}" "$(fn policy add "${@:2}" 2>&1)" "$1"
	is "policies" "$(fn --json policy list | jq length)" 0
}

what_makes_no_sense_is_refused() {
	local long='as long as the one that is matched.*attribute to-prefix'
	refusal "$long" dnat --dst "$OUT.0/24" --to 10.0.0.0/25
	refusal "$long" dnat --to 10.0.0.0/24
	refusal "$long" dnat --dst "$OUT.0/24" --to 10.0.0.1/32
	refusal "$long" snat --src 10.0.0.0/24 --to "$OUT.0/28"
	refusal "$long" snat --to "$OUT.1"
	refusal 'has one outside endpoint.*attribute mapping' snat --src 10.0.0.0/24 --to "$OUT.0/24" --mapping address-and-port-dependent
	refusal 'not addresses of hosts' dnat --dst 12.0.0.0/8 --to 224.0.0.0/8
	refusal 'not addresses of hosts' snat --src 10.0.0.0/8 --to 0.0.0.0/8
	refusal 'a prefix stands alone' dnat --dst "$OUT.0/24" --to 10.0.0.0/24 --to 10.0.0.1
	refusal 'cannot be used with' snat --src 10.0.0.0/24 --to "$OUT.0/24" --pool p
	refusal 'ports need a protocol' dnat --dst "$OUT.0/24" --to 10.0.0.0/24:80
}

gateway_topology
address "$client" 10.0.0.3/24 eth0
apply
for last in 2 3; do
	serve udp "$server" "192.0.2.$last:53"
	serve udp "$client" "10.0.0.$last:600$((last - 2))"
done
serve tcp "$server" 192.0.2.2:80
serve tcp "$client" 10.0.0.2:6000
tests_run
