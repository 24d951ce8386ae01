#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Several policies match: the lowest priority number decides, then the lowest id;
# no-snat exempts; every kind of match distinguishes.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#   client2           |
#   10.0.1.2 ------- lan1       pool a: 203.0.113.10, pool b: 203.0.113.20

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_lower_priority_decides
	among_equals_the_lower_id_decides
	the_list_is_in_the_order_of_asking
	matches_distinguish
	a_mark_distinguishes
	an_input_interface_distinguishes
	no_snat_exempts_a_destination
	many_policies_do_not_disturb
	so_many_are_loaded_in_seconds
)

A='^203\.0\.113\.10:' B='^203\.0\.113\.20:'

two_pools() {
	unconfigure
	configure pool add a --range 203.0.113.10
	configure pool add b --range 203.0.113.20
}

the_lower_priority_decides() {
	local id
	two_pools
	configure policy add snat --pool a --out wan0 --priority 200
	like "alone" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
	id=$(fn --json policy add snat --pool b --out wan0 --priority 100 | jq .id)
	like "with another before it" "$(ask udp "$client" - 192.0.2.2:53)" "$B"
	works "delete" fn policy del "$id"
	like "alone again" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
}

among_equals_the_lower_id_decides() {
	two_pools
	configure policy add snat --pool a --out wan0 --id 30
	configure policy add snat --pool b --out wan0 --id 20
	like "server saw" "$(ask udp "$client" - 192.0.2.2:53)" "$B"
}

the_list_is_in_the_order_of_asking() {
	configure policy add masquerade --out wan0 --id 90 --priority 1
	is "ids" "$(fn --json policy list | jq -c 'map(.id)')" '[90,20,30]'
	refuses "an id that is taken" fn policy add masquerade --out wan0 --id 20
}

matches_distinguish() {
	two_pools
	configure policy add snat --pool a --out wan0 --priority 900
	configure policy add snat --pool b --proto udp --dport 54-60 --out wan0 --priority 10
	configure policy add snat --pool b --proto udp --sport 5000-5009 --priority 20
	configure policy add snat --pool b --dst 192.0.2.4 --priority 30
	configure policy add snat --pool b --proto icmp --src 10.0.0.0/25 --priority 40
	like "no match but the last" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
	like "destination port" "$(ask udp "$client" - 192.0.2.2:54)" "$B"
	like "source port" "$(ask udp "$client" 10.0.0.2:5009 192.0.2.2:53)" "$B"
	like "source port beyond" "$(ask udp "$client" 10.0.0.2:5010 192.0.2.2:53)" "$A"
	like "destination" "$(ask tcp "$client" - 192.0.2.4:80)" "$B"
	like "another protocol" "$(ask tcp "$client" - 192.0.2.2:80)" "$A"
	capture icmp "$server" eth0 "icmp[icmptype] == icmp-echo"
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
	like "ping" "$(captured icmp)" '203\.0\.113\.20 > 192\.0\.2\.2: ICMP echo request'
	is "hits of the first" "$(fn --json policy list | jq '.[0].hits')" 1
}

a_mark_distinguishes() {
	two_pools
	at "$gw" nft -f - <<-END || { skip "no nftables"; return; }
		table ip fastnat-test {
			chain early {
				type filter hook prerouting priority -450
				udp dport 54 meta mark set 0x107
			}
		}
	END
	configure policy add snat --pool a --out wan0 --priority 900
	configure policy add snat --pool b --mark 0x7/0xff --priority 10
	like "marked" "$(ask udp "$client" - 192.0.2.2:54)" "$B"
	like "not marked" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
}

an_input_interface_distinguishes() {
	two_pools
	configure policy add snat --pool a --in lan0 --out wan0
	configure policy add snat --pool b --in lan1 --out wan0
	like "from lan0" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
	like "from lan1" "$(ask udp "$client2" - 192.0.2.2:53)" "$B"
}

no_snat_exempts_a_destination() {
	two_pools
	ip -n "$server" route add 10.0.0.0/24 via 192.0.2.1
	configure policy add snat --pool a --out wan0
	configure policy add no-snat --dst 192.0.2.3 --priority 1
	is "to the exempted destination" "$(ask udp "$client" 10.0.0.2:6000 192.0.2.3:53)" 10.0.0.2:6000
	like "to another" "$(ask udp "$client" 10.0.0.2:6000 192.0.2.2:53)" "$A"
	at_least "pass-exempt" "$(counter pass-exempt)" 1
	ip -n "$server" route del 10.0.0.0/24
}

many_policies_do_not_disturb() {
	local i
	two_pools
	for i in {1..20}; do
		fn policy add snat --pool a --src "10.9.$i.0/24" --proto udp --priority "$i" >/dev/null || fail "policy $i"
	done
	configure policy add snat --pool b --src 10.0.0.0/8 --priority 500
	like "server saw" "$(ask udp "$client" - 192.0.2.2:53)" "$B"
	is "policies" "$(fn --json policy list | jq length)" 21
}

# others PRIORITY: 10,000 lines of policies that no packet here matches.
others() {
	awk -v priority="$1" 'BEGIN {
		for (i = 0; i < 5000; i++) {
			address = (64 + priority) "." int(i / 250) "." i % 250
			print "snat --pool a --src 10." address, "--priority", priority
			print "snat --pool a --dst 10." address, "--proto udp --dport 53 --priority", priority
		}
	}'
}

# The last: these policies go with the namespace.
so_many_are_loaded_in_seconds() {
	local begun=$SECONDS
	two_pools
	{
		others 20
		echo "snat --pool b --src 10.0.0.2 --priority 20"
		echo "snat --pool a --src 10.0.0.0/24 --priority 20"
		others 10
	} >"$TMP/policies"
	works "load" fn policy load "$TMP/policies"
	note "$((SECONDS - begun)) s"
	((SECONDS - begun <= 60 * SLOW)) || fail "too slow"
	like "of one priority, the line that came first" "$(ask udp "$client" - 192.0.2.2:53)" "$B"
	is "policies" "$(fn --json policy list | jq length)" 20002
	is "in their order" "$(fn --json policy list | jq 'map([.priority, .id]) | . == sort')" true
	is "ids" "$(fn --json policy list | jq 'map(.id) | unique | length')" 20002
	works "one before all" fn policy add snat --pool a --priority 1
	like "that decides" "$(ask udp "$client" - 192.0.2.2:53)" "$A"
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
serve udp "$server" 192.0.2.2:54
serve tcp "$server" 0.0.0.0:80
tests_run
