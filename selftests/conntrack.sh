#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Beside connection tracking: by default it does not see translated packets; told to,
# fastnat shows it the inside addresses in both directions, so that a stateful firewall
# works; and an nftables NAT on another interface goes its own way.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#                         wan1 ---------------- eth1
#                         198.51.100.1   198.51.100.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	translated_packets_are_untracked
	nothing_is_left_in_conntrack
	tracked_lets_a_stateful_firewall_work
	the_stateful_firewall_keeps_strangers_out
	a_forwarded_port_passes_the_stateful_firewall
	conntrack_sees_inside_addresses
	nftables_nat_on_another_interface_goes_its_own_way
)

ruleset() { at "$gw" nft -f - ; }
hits() { at "$gw" nft -j list counter ip fw "$1" | jq '[.. | .packets? // empty] | add'; }
tracked_connections() { at "$gw" cat /proc/sys/net/netfilter/nf_conntrack_count; }

translated_packets_are_untracked() {
	ruleset <<-END
		table ip fw {
			counter established { }
			counter untracked { }
			chain forward {
				type filter hook forward priority 0; policy drop
				ct state established counter name established drop
				ct state untracked counter name untracked accept
				iifname lan0 accept
			}
		}
	END
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80 5000)" '^192\.0\.2\.1:'
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc2 -i0.2 -W5 192.0.2.2
	at_least "untracked" "$(hits untracked)" 6
	is "established" "$(hits established)" 0
}

nothing_is_left_in_conntrack() {
	is "connections" "$(tracked_connections)" 0
}

tracked_lets_a_stateful_firewall_work() {
	works "flush" fn flow flush
	configure config set --conntrack tracked
	ruleset <<-END
		flush ruleset
		table ip fw {
			counter established { }
			chain forward {
				type filter hook forward priority 0; policy drop
				ct state established,related counter name established accept
				iifname lan0 ct state new accept
			}
		}
	END
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80 5000)" '^192\.0\.2\.1:'
	hold u udp "$client" 10.0.0.2:4000
	outside=$(say u 192.0.2.2:53)
	like "UDP" "$outside" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc2 -i0.2 -W5 192.0.2.2
	is "a related error" "$(ask udp "$client" - 192.0.2.2:9999)" refused
	is "a large transfer" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
	at_least "established" "$(hits established)" 6
}

the_stateful_firewall_keeps_strangers_out() {
	hold x udp "$server" 192.0.2.3:999
	agent tell x "$outside" hello >/dev/null
	is "client heard" "$(silent hear u)" timeout
	is "the known server" "$(say u 192.0.2.2:53)" "$outside"
}

a_forwarded_port_passes_the_stateful_firewall() {
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080 --to 10.0.0.2:80
	is "before the rule" "$(silent ask tcp "$server" - 192.0.2.1:8080)" timeout
	ruleset <<<"add rule ip fw forward iifname wan0 ip daddr 10.0.0.2 tcp dport 80 ct state new accept"
	is "the inside server saw" "$(ask tcp "$server" 192.0.2.2:5000 192.0.2.1:8080 5000)" 192.0.2.2:5000
}

conntrack_sees_inside_addresses() {
	local seen
	at_least "connections" "$(tracked_connections)" 1
	seen=$(at "$gw" conntrack -L -p udp --orig-port-src 4000 2>/dev/null) || { skip "no conntrack(8)"; return; }
	like "entry" "$seen" 'src=10\.0\.0\.2 dst=192\.0\.2\.2 sport=4000 dport=53 src=192\.0\.2\.2 dst=10\.0\.0\.2 sport=53 dport=4000'
}

nftables_nat_on_another_interface_goes_its_own_way() {
	configure config set --conntrack untracked
	ruleset <<-END
		flush ruleset
		table ip other {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname wan1 masquerade
			}
		}
	END
	like "by wan0" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	like "by wan1, TCP" "$(ask tcp "$client" - 198.51.100.2:80)" '^198\.51\.100\.1:'
	like "by wan1, UDP" "$(ask udp "$client" - 198.51.100.2:53)" '^198\.51\.100\.1:'
}

gateway_topology
cable "$gw" wan1 198.51.100.1/24 "$server" eth1 198.51.100.2/24
apply
at "$gw" nft list ruleset >/dev/null 2>&1 || skip_all "no nftables"
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve udp "$server" 198.51.100.2:53
serve tcp "$server" 0.0.0.0:80
serve tcp "$client" 10.0.0.2:80
tests_run
