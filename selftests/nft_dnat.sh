#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Rules of nftables that translate, beside a policy that masquerades all that leaves by wan0: each
# connection is translated by one of both, in both directions, in every mode.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_port_that_nft_forwards
	the_same_in_mode_tracked
	the_same_with_offload
	other_protocols_that_nft_forwards
	questions_that_nft_leads_elsewhere
	they_are_masqueraded_in_mode_tracked
	they_are_masqueraded_with_offload
	what_the_gateway_itself_asks_is_led_elsewhere
	connections_that_nft_began_go_on
	answers_to_them_though_an_inside_host_has_their_port
	answers_to_them_though_all_ports_lead_inside
	source_policies_without_an_interface
	connections_whose_rules_have_gone
)

rules() { at "$gw" nft -f - || fail "nft"; }

forward() {
	at "$gw" nft flush ruleset
	rules <<-END
		table ip other {
			chain prerouting {
				type nat hook prerouting priority dstnat
				iifname wan0 tcp dport 8080 dnat to 10.0.0.2:80
				iifname wan0 udp dport 8053-8054 dnat to 10.0.0.2:53
				iifname wan0 udp dport 8055 dnat to 10.0.0.2:55
				iifname wan0 meta l4proto sctp dnat to 10.0.0.2
			}
		}
	END
}

# with SETTING… -- TEST
with() {
	local settings=()
	while [[ $1 != -- ]]; do settings+=("$1"); shift; done
	configure config set "${settings[@]}"
	"$2"
	configure config set --conntrack untracked --offload off
}

forwarded() {
	forward
	configure flow flush
	hold t tcp "$server" 192.0.2.2:0 192.0.2.1:8080
	hold u udp "$server" 192.0.2.2:0
	for _ in 1 2 3 4; do
		like "TCP" "$(say t)" '^192\.0\.2\.2:'
		like "UDP" "$(say u 192.0.2.1:8053)" '^192\.0\.2\.2:'
	done
	is "a port where nobody listens" "$(ask udp "$server" - 192.0.2.1:8055)" refused
	is "flows of that" "$(flows)" 0
	like "an inside host" "$(ask tcp "$client" - 192.0.2.2:80 5000)" '^192\.0\.2\.1:'
}

a_port_that_nft_forwards() { forwarded; }
the_same_in_mode_tracked() { with --conntrack tracked -- forwarded; }
the_same_with_offload() { with --offload on -- forwarded; }

# Packets of SCTP, which fastnat does not translate: a chunk to the inside host, and its answer.
other_protocols_that_nft_forwards() {
	forward
	capture answer "$server" eth0 'ip proto 132 and src 192.0.2.1'
	sctp "$server" 192.0.2.2 192.0.2.1 1000 2000
	sctp "$client" 10.0.0.2 192.0.2.2 2000 1000
	like "the answer" "$(captured answer)" '192\.0\.2\.1\.2000 > 192\.0\.2\.2\.1000'
	is "drop-protocol" "$(counter drop-protocol)" 0
}

# sctp NS SRC DST SPORT DPORT: one INIT.
sctp() {
	at "$1" python3 -c "
from scapy.all import IP, SCTP, SCTPChunkInit, send
send(IP(src='$2', dst='$3') / SCTP(sport=$4, dport=$5, tag=0) / SCTPChunkInit(init_tag=7), verbose=0)
" || fail "scapy"
}

# A question to 192.0.2.77, where nobody is, is answered by 192.0.2.3, and seems to be by .77.
led_elsewhere() {
	at "$gw" nft flush ruleset
	configure flow flush
	rules <<-END
		table ip other {
			chain prerouting {
				type nat hook prerouting priority dstnat
				iifname lan0 ip daddr 192.0.2.77 dnat to 192.0.2.3
			}
		}
	END
	hold q udp "$client" 10.0.0.2:0
	hold r tcp "$client" 10.0.0.2:0 192.0.2.77:80
	for _ in 1 2 3 4; do
		like "UDP" "$(say q 192.0.2.77:53)" '^192\.0\.2\.1:'
		like "TCP" "$(say r)" '^192\.0\.2\.1:'
	done
	is "an error" "$(ask udp "$client" - 192.0.2.77:9999)" refused
	works "ping" at "$client" ping -qc2 -i0.2 -W5 192.0.2.77
	like "what is not led elsewhere" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
}

questions_that_nft_leads_elsewhere() { led_elsewhere; }
they_are_masqueraded_in_mode_tracked() { with --conntrack tracked -- led_elsewhere; }
they_are_masqueraded_with_offload() { with --offload on -- led_elsewhere; }

what_the_gateway_itself_asks_is_led_elsewhere() {
	rules <<-END
		table ip other {
			chain output {
				type nat hook output priority dstnat
				ip daddr 192.0.2.78 dnat to 192.0.2.3
			}
		}
	END
	like "UDP" "$(ask udp "$gw" - 192.0.2.78:53)" '^192\.0\.2\.1:'
	like "TCP" "$(ask tcp "$gw" - 192.0.2.78:80)" '^192\.0\.2\.1:'
}

connections_that_nft_began_go_on() {
	unconfigure
	at "$gw" nft flush ruleset
	rules <<-END
		table ip other {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname wan0 masquerade
			}
		}
	END
	hold old tcp "$client" 10.0.0.2:0 192.0.2.2:80
	hold older udp "$client" 10.0.0.2:0 192.0.2.2:53
	before=$(say old) outside=$(say older)
	like "nft's" "$outside" '^192\.0\.2\.1:'
	configure policy add masquerade --out wan0
	for _ in 1 2 3; do
		is "TCP goes on" "$(say old)" "$before"
		is "UDP goes on" "$(say older)" "$outside"
	done
	is "flows of that" "$(flows)" 0
	like "a new one" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	is "flows" "$(flows)" 1
}

answers_to_them_though_an_inside_host_has_their_port() {
	configure policy add masquerade --out wan0 --src 10.9.0.0/16 --priority 1
	works "static" fn binding add --policy "$(fn --json policy list | jq .[0].id)" --proto udp \
		--inside 10.9.0.9:9 --outside "192.0.2.1:${outside#*:}"
	is "UDP goes on" "$(say older)" "$outside"
}

answers_to_them_though_all_ports_lead_inside() {
	unconfigure
	configure policy add dnat --in wan0 --dst 192.0.2.1 --to 10.0.0.9
	is "TCP goes on" "$(say old)" "$before"
	is "UDP goes on" "$(say older)" "$outside"
	is "flows of that" "$(flows)" 0
}

# The answers of the inside server, and what the gateway forwards, match such a policy.
source_policies_without_an_interface() {
	unconfigure
	forward
	configure pool add out --range 203.0.113.10-203.0.113.10
	configure policy add snat --pool out --src 10.0.0.0/8
	like "TCP" "$(ask tcp "$server" - 192.0.2.1:8080 5000)" '^192\.0\.2\.2:'
	hold u udp "$server" 192.0.2.2:0
	like "UDP" "$(say u 192.0.2.1:8053)" '^192\.0\.2\.2:'
	like "an inside host" "$(ask tcp "$client" - 192.0.2.2:80)" '^203\.0\.113\.10:'
}

# Who comes from connection tracking's NAT deletes its rules, and connections are still known that it translated:
# nobody does so any more.
connections_whose_rules_have_gone() {
	unconfigure
	at "$gw" nft flush ruleset
	rules <<-END
		table ip other {
			chain prerouting {
				type nat hook prerouting priority dstnat
				iifname wan0 udp dport 8053 dnat to 10.0.0.2:53
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname wan0 masquerade
			}
		}
	END
	hold m udp "$client" 10.0.0.2:6000
	hold d udp "$server" 192.0.2.2:6001
	like "by nft" "$(say m 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "by nft" "$(say d 192.0.2.1:8053)" '^192\.0\.2\.2:'
	at "$gw" nft flush ruleset
	configure policy add masquerade --out wan0
	configure policy add dnat --in wan0 --proto udp --dport 8053 --to 10.0.0.2:53
	like "the same socket" "$(say m 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "the same stranger" "$(say d 192.0.2.1:8053)" '^192\.0\.2\.2:'
	is "flows" "$(flows)" 2
}

gateway_topology
at "$gw" nft list ruleset >/dev/null 2>&1 || skip_all "no nftables"
serve tcp "$client" 10.0.0.2:80
serve udp "$client" 10.0.0.2:53
for host in 2 3; do
	serve tcp "$server" "192.0.2.$host:80"
	serve udp "$server" "192.0.2.$host:53"
done
configure policy add masquerade --out wan0
tests_run
