#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A dnat policy that leads a whole address to one host: the other hosts, that host and the gateway keep the
# network, and so does the gateway where a port that its sockets use is forwarded. The same with connection
# tracking's NAT, for comparison.
#
#   client  eth0 10.0.0.2 -- 10.0.0.1 lan0  gw  wan0 192.0.2.1 -------- eth0 192.0.2.2, .3  server
#   client2 eth0 10.0.1.2 -- 10.0.1.1 lan1      (exposed host: client2)

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	connection_tracking_for_comparison
	other_hosts_keep_the_network
	strangers_reach_other_hosts_by_their_bindings
	who_may_not_use_a_binding_gets_to_the_exposed_host
	other_hosts_meet_by_their_bindings
	the_exposed_host_keeps_the_network
	strangers_get_to_the_exposed_host
	the_gateway_keeps_the_network
	tunnels_of_the_gateway_stay
	the_gateway_asks_who_spoke_to_the_exposed_host
	connections_of_the_gateway_outlive_the_policy
	the_gateway_with_a_pool
	the_gateway_without_a_source_policy
	the_gateway_beside_one_forwarded_port
	the_gateway_beside_a_redirect
	the_gateway_when_the_table_is_full
)

# exposing [WORDS…]: this source policy, if any, and an exposed host.
exposing() {
	unconfigure
	(($# == 0)) || configure policy add "$@"
	configure policy add dnat --in wan0 --dst 192.0.2.1 --to 10.0.1.2
}

# reaches NS ADDR SEEN: UDP, TCP and ping from this host get their answers, from its own ports, too.
reaches() {
	like "UDP" "$(ask udp "$1" "$2:0" 192.0.2.2:53)" "^$3:"
	like "UDP from port 123" "$(ask udp "$1" "$2:123" 192.0.2.2:123)" "^$3:"
	like "UDP from port 123 to another" "$(ask udp "$1" "$2:123" 192.0.2.3:123)" "^$3:"
	like "TCP" "$(ask tcp "$1" "$2:0" 192.0.2.2:80)" "^$3:"
	works "ping" at "$1" ping -qc2 -i0.2 -W5 192.0.2.2
}

# gateway_reaches [PORT]: its own sockets, bound to an address and to none; ntpd is seen at PORT (123).
gateway_reaches() {
	reaches "$gw" 192.0.2.1 '192\.0\.2\.1'
	hold ntp udp "$gw" 0.0.0.0:123
	like "ntpd" "$(say ntp 192.0.2.2:123)" "^192\.0\.2\.1:${1:-123}\$"
	like "ntpd again" "$(say ntp 192.0.2.2:123)" "^192\.0\.2\.1:${1:-123}\$"
	agent close ntp >/dev/null
	is "a large transfer" "$(transfer "$gw" "$server" 192.0.2.2 81 1)" intact
}

strangers_reach() {
	like "UDP" "$(ask udp "$server" 192.0.2.3:0 192.0.2.1:8080)" '^192\.0\.2\.3:'
	like "TCP" "$(ask tcp "$server" 192.0.2.3:0 192.0.2.1:8081)" '^192\.0\.2\.3:'
	like "exposed host heard" "$(heard udp "$client2" 8080)" '192\.0\.2\.3:'
	like "exposed host heard" "$(heard tcp "$client2" 8081)" '192\.0\.2\.3:'
}

connection_tracking_for_comparison() {
	at "$gw" nft list ruleset >/dev/null 2>&1 || { skip "no nftables"; return; }
	works "nft" at "$gw" nft -f - <<-'END'
		table ip nat {
			chain pre { type nat hook prerouting priority -100; iifname "wan0" ip daddr 192.0.2.1 dnat to 10.0.1.2; }
			chain post { type nat hook postrouting priority 100; oifname "wan0" masquerade; }
		}
	END
	reaches "$client" 10.0.0.2 '192\.0\.2\.1'
	reaches "$client2" 10.0.1.2 '192\.0\.2\.1'
	# Its port is taken by then: it keeps the ports of inside hosts.
	gateway_reaches '[0-9]+'
	strangers_reach
	asks_a_peer_of_the_exposed_host
	at "$gw" nft flush ruleset
}

other_hosts_keep_the_network() {
	exposing masquerade --out wan0
	reaches "$client" 10.0.0.2 '192\.0\.2\.1'
	is "a large transfer" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
}

# RFC 4787 REQ-8: a binding is open to all, whoever else is exposed.
strangers_reach_other_hosts_by_their_bindings() {
	local outside
	hold u udp "$client" 10.0.0.2:4000
	outside=$(say u 192.0.2.2:53)
	like "outside" "$outside" '^192\.0\.2\.1:'
	hold x udp "$server" 192.0.2.3:999
	agent tell x "$outside" knock >/dev/null
	is "other host heard" "$(hear u)" "192.0.2.3:999 knock"
}

who_may_not_use_a_binding_gets_to_the_exposed_host() {
	local outside
	exposing masquerade --out wan0 --filtering address-dependent
	hold u udp "$client" 10.0.0.2:4000
	outside=$(say u 192.0.2.2:53)
	hold exposed udp "$client2" "10.0.1.2:${outside#*:}"
	hold x udp "$server" 192.0.2.3:999
	agent tell x "$outside" knock >/dev/null
	is "exposed host heard" "$(hear exposed)" "192.0.2.3:999 knock"
	hold y udp "$server" 192.0.2.2:999
	agent tell y "$outside" knock >/dev/null
	is "other host heard" "$(hear u)" "192.0.2.2:999 knock"
}

other_hosts_meet_by_their_bindings() {
	local outside
	exposing masquerade --out wan0
	hold u udp "$client" 10.0.0.2:4000
	outside=$(say u 192.0.2.2:53)
	hold e udp "$client2" 10.0.1.2:4000
	agent tell e "$outside" hairpin >/dev/null
	like "other host heard" "$(hear u)" '^192\.0\.2\.1:[0-9]+ hairpin'
}

the_exposed_host_keeps_the_network() {
	exposing masquerade --out wan0
	reaches "$client2" 10.0.1.2 '192\.0\.2\.1'
}

strangers_get_to_the_exposed_host() {
	strangers_reach
	works "ping" at "$server" ping -qc1 -W5 192.0.2.1
}

the_gateway_keeps_the_network() {
	exposing masquerade --out wan0
	gateway_reaches
}

# Who begins is let in: GRE has no ports that a policy could name.
tunnels_of_the_gateway_stay() {
	local before
	ip -n "$gw" link add gre7 type gre local 192.0.2.1 remote 192.0.2.2 ttl 64 2>/dev/null || { skip "no GRE"; return; }
	works "address" ip -n "$gw" addr add 10.7.0.1 peer 10.7.0.2/32 dev gre7
	works "link" ip -n "$gw" link set gre7 up
	works "tunnel" ip -n "$server" link add gre7 type gre local 192.0.2.2 remote 192.0.2.1 ttl 64
	works "address" ip -n "$server" addr add 10.7.0.2 peer 10.7.0.1/32 dev gre7
	works "link" ip -n "$server" link set gre7 up
	exposing masquerade --out wan0
	before=$(counter drop-protocol)
	is "the other end begins" "$(at "$server" ping -qc1 -W1 10.7.0.1 >/dev/null && echo answered)" ""
	at_least "drop-protocol" "$(counter drop-protocol)" $((before + 1))
	works "the gateway begins" at "$gw" ping -qc1 -W5 10.7.0.2
	works "the other end answers and asks" at "$server" ping -qc1 -W5 10.7.0.1
	ip -n "$gw" link del gre7
	ip -n "$server" link del gre7
}

# It asks from a port to which this very socket has sent before, for the exposed host: the answer has to get
# to the one who asked.
asks_a_peer_of_the_exposed_host() {
	local seen
	hold peer udp "$server" 192.0.2.3:5000
	is "exposed host saw" "$(say peer 192.0.2.1:123)" 192.0.2.3:5000
	hold ntp udp "$gw" 0.0.0.0:123
	agent tell ntp 192.0.2.3:5000 question >/dev/null
	seen=$(hear peer)
	like "the peer heard" "$seen" '^192\.0\.2\.1:[0-9]+ question$'
	agent tell peer "${seen% *}" answer >/dev/null
	is "the gateway heard" "$(hear ntp)" "192.0.2.3:5000 answer"
	is "exposed host saw" "$(say peer 192.0.2.1:123)" 192.0.2.3:5000
	agent close ntp >/dev/null
}

the_gateway_asks_who_spoke_to_the_exposed_host() {
	exposing masquerade --out wan0
	asks_a_peer_of_the_exposed_host
}

# One that the gateway opened, and one that was opened to it; then new ones are the exposed host's.
connections_of_the_gateway_outlive_the_policy() {
	unconfigure
	configure policy add masquerade --out wan0
	hold out tcp "$gw" - 192.0.2.2:80
	hold in tcp "$server" - 192.0.2.1:22
	hold quiet tcp "$server" - 192.0.2.1:22
	like "out" "$(say out)" '^192\.0\.2\.1:'
	like "in" "$(say in)" '^192\.0\.2\.2:'
	configure policy add dnat --in wan0 --dst 192.0.2.1 --to 10.0.1.2
	like "out" "$(say out)" '^192\.0\.2\.1:'
	like "in" "$(say in)" '^192\.0\.2\.2:'
	like "in, which was quiet" "$(say quiet)" '^192\.0\.2\.2:'
	heard tcp "$client2" 22 >/dev/null
	like "a new one" "$(ask tcp "$server" 192.0.2.2:0 192.0.2.1:22)" '^192\.0\.2\.2:'
	like "exposed host heard" "$(heard tcp "$client2" 22)" '192\.0\.2\.2:'
}

the_gateway_with_a_pool() {
	unconfigure
	configure pool add some --range 203.0.113.5
	configure policy add snat --pool some --src 10.0.0.0/16 --out wan0
	configure policy add dnat --in wan0 --dst 192.0.2.1 --to 10.0.1.2
	gateway_reaches
	like "another host" "$(ask udp "$client" - 192.0.2.2:53)" '^203\.0\.113\.5:'
}

the_gateway_without_a_source_policy() {
	exposing
	gateway_reaches
}

the_gateway_beside_one_forwarded_port() {
	local policy
	for policy in "" "masquerade --out wan0"; do
		unconfigure
		# shellcheck disable=SC2086 # words
		[[ ! $policy ]] || configure policy add $policy
		configure policy add dnat --in wan0 --proto udp --dport 123 --to 10.0.1.2
		configure policy add dnat --in wan0 --proto tcp --dport 1024-65535 --to 10.0.1.2
		gateway_reaches
		like "a stranger" "$(ask udp "$server" 192.0.2.3:0 192.0.2.1:123)" '^192\.0\.2\.3:'
		like "exposed host heard" "$(heard udp "$client2" 123)" '192\.0\.2\.3:'
	done
}

the_gateway_beside_a_redirect() {
	unconfigure
	configure policy add redirect --in wan0 --proto udp --to-port 8080
	gateway_reaches
}

# Then its packets leave as they are, and the answers go where the policy says.
the_gateway_when_the_table_is_full() {
	exposing
	configure config set --max-flows 1
	hold one udp "$gw" 192.0.2.1:5600
	is "the one flow" "$(say one 192.0.2.2:53)" 192.0.2.1:5600
	is "another" "$(silent ask udp "$gw" 192.0.2.1:5601 192.0.2.2:53)" timeout
	like "server heard" "$(heard udp "$server" 53)" '192\.0\.2\.1:5601'
	is "the one flow" "$(say one 192.0.2.2:53)" 192.0.2.1:5600
	configure config set --max-flows 1000
	is "another" "$(ask udp "$gw" 192.0.2.1:5601 192.0.2.2:53)" 192.0.2.1:5601
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.2:123
serve udp "$server" 192.0.2.3:123
serve tcp "$server" 192.0.2.2:80
serve tcp "$gw" 192.0.2.1:22
serve udp "$client2" 10.0.1.2:8080
serve udp "$client2" 10.0.1.2:123
serve tcp "$client2" 10.0.1.2:8081
serve tcp "$client2" 10.0.1.2:22
tests_run
