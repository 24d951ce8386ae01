#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two uplinks at once: answers leave by the uplink that the question came in by, flows stay where they
# began, without connection tracking. The rules of routing are those of the documentation.
#
#   client            gw                              server
#   eth0 ---------- lan0  wan0 ------------------------ eth0        lo
#   10.0.0.2    10.0.0.1  192.0.2.1 mark 1          192.0.2.2   192.0.9.9
#                         wan1 ------------------------ eth1
#                         198.51.100.1 mark 2     198.51.100.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_service_is_reached_by_both_uplinks
	a_large_transfer_by_the_second
	an_error_from_inside_takes_the_same_way
	under_offload
	what_has_a_binding_there_answers_there
	balancing_by_marks
	the_gateway_s_own_services
	connection_tracking_stays_out_of_it
	marks_are_listed_and_checked
)

W0='^192\.0\.2\.1:' W1='^198\.51\.100\.1:'

# received IF: packets that the server got by an interface.
received() { agent received "$server" "$1"; }

# asked ADDR IF: the service is reached at ADDR, and the answers come by IF alone.
asked() {
	local before0 before1 after0 after1
	before0=$(received eth0) before1=$(received eth1)
	is "TCP to $1" "$(ask tcp "$server" 192.0.9.9:0 "$1:8080" | cut -d: -f1)" 192.0.9.9
	is "UDP to $1" "$(ask udp "$server" 192.0.9.9:0 "$1:8080" | cut -d: -f1)" 192.0.9.9
	after0=$(received eth0) after1=$(received eth1)
	if [[ $2 == eth0 ]]; then
		at_least "answers by eth0" $((after0 - before0)) 4
		is "answers by eth1" $((after1 - before1)) 0
	else
		at_least "answers by eth1" $((after1 - before1)) 4
		is "answers by eth0" $((after0 - before0)) 0
	fi
}

# Without marks the second one's answers leave by the first, with the right source: the control.
a_service_is_reached_by_both_uplinks() {
	local before proto
	configure policy add masquerade --out wan0 --set-mark 1
	configure policy add masquerade --out wan1 --set-mark 2
	for proto in tcp udp; do
		configure policy add dnat --in wan0 --proto "$proto" --dport 8080 --to 10.0.0.2
		configure policy add dnat --id "$([[ $proto == tcp ]] && echo 90 || echo 190)" --in wan1 --proto "$proto" --dport 8080 --to 10.0.0.2
	done
	works "neighbours" at "$server" ping -qc1 -W5 -I 198.51.100.2 198.51.100.1
	before=$(received eth1)
	ask udp "$server" 192.0.9.9:0 198.51.100.1:8080 >/dev/null
	is "answers by eth1 without a mark" $(($(received eth1) - before)) 0
	works "delete" fn policy del 90
	works "delete" fn policy del 190
	for proto in tcp udp; do
		configure policy add dnat --in wan1 --proto "$proto" --dport 8080 --to 10.0.0.2 --set-mark 2
	done
	asked 192.0.2.1 eth0
	asked 198.51.100.1 eth1
}

a_large_transfer_by_the_second() {
	local before
	configure policy add dnat --in wan1 --proto tcp --dport 8081 --to 10.0.0.2:81 --set-mark 2
	before=$(received eth0)
	is "to the client" "$(transfer "$server" "$client" 198.51.100.1 81 2 8081)" intact
	is "answers by eth0" $(($(received eth0) - before)) 0
}

an_error_from_inside_takes_the_same_way() {
	local before
	configure policy add dnat --in wan1 --proto udp --dport 8099 --to 10.0.0.2:9 --set-mark 2
	before=$(received eth0)
	is "a closed port" "$(ask udp "$server" 192.0.9.9:0 198.51.100.1:8099)" refused
	is "errors by eth0" $(($(received eth0) - before)) 0
}

under_offload() {
	local before
	configure config set --offload on --offload-after 1
	hold o udp "$server" 192.0.9.9:4000 198.51.100.1:8080
	is "answered" "$(agent burst 4 o 4)" 4
	before=$(counter offloaded)
	is "answered" "$(agent burst 4 o 4)" 4
	at_least "offloaded" $(($(counter offloaded) - before)) 8
	asked 192.0.2.1 eth0
	asked 198.51.100.1 eth1
	configure config set --offload off
}

# RFC 4787 REQ-1: the same outside endpoint, whomever it talks to next.
what_has_a_binding_there_answers_there() {
	local before
	configure binding add --policy 2 --proto udp --inside 10.0.0.2:7000 --outside 198.51.100.1:7000
	hold s udp "$server" 192.0.9.9:4100
	hold b udp "$client" 10.0.0.2:7000
	before=$(received eth0)
	agent tell s 198.51.100.1:7000 hello >/dev/null
	is "heard" "$(hear b)" "192.0.9.9:4100 hello"
	agent tell b 192.0.9.9:4100 welcome >/dev/null
	is "the answer" "$(hear s)" "198.51.100.1:7000 welcome"
	like "whom else it asks" "$(say b 192.0.9.9:53)" '^198\.51\.100\.1:7000$'
	is "by eth0" $(($(received eth0) - before)) 0
}

# A rule that marks what has no mark yet, every other packet for another uplink: a flow has one.
balancing_by_marks() {
	local number seen both=''
	at "$gw" nft -f - <<-END
		table ip balance {
			chain prerouting {
				type filter hook prerouting priority mangle
				iifname lan0 meta mark 0 meta mark set numgen inc mod 2 offset 1
			}
		}
	END
	for number in 1 2 3 4; do
		hold "n$number" udp "$client" 10.0.0.2:$((5000 + number))
		seen=$(say "n$number" 192.0.9.9:53)
		like "socket $number" "$seen" "$W0|$W1"
		both+=" ${seen%%:*}"
		is "socket $number again" "$(say "n$number" 192.0.9.9:53)" "$seen"
		is "socket $number again" "$(say "n$number" 192.0.9.9:53)" "$seen"
	done
	like "the first" "$both" '192\.0\.2\.1'
	like "the second" "$both" '198\.51\.100\.1'
	hold t tcp "$client" - 192.0.9.9:80
	seen=$(say t)
	is "a connection" "$(say t)" "$seen"
	is "a connection" "$(say t)" "$seen"
	at "$gw" nft delete table ip balance
}

# By the rules for their source, as without any NAT.
the_gateway_s_own_services() {
	local before
	before=$(received eth0)
	like "TCP" "$(ask tcp "$server" 192.0.9.9:0 198.51.100.1:22)" '^192\.0\.9\.9:'
	is "answers by eth0" $(($(received eth0) - before)) 0
}

connection_tracking_stays_out_of_it() {
	is "entries" "$(at "$gw" conntrack -L 2>/dev/null | grep -c 8080)" 0
}

marks_are_listed_and_checked() {
	unconfigure
	configure policy add masquerade --out wan0 --set-mark 0x100/0xff00
	like "list" "$(fn policy list)" '0x100/0xff00'
	refuses "bits outside the mask" fn policy add masquerade --out wan1 --set-mark 0x1/0xff00
	refuses "an exemption" fn policy add no-snat --set-mark 1
	refuses "a redirect" fn policy add redirect --set-mark 1
	# Other bits stay as they are.
	at "$gw" nft -f - <<-END
		table ip marks {
			counter both { }
			chain raw {
				type filter hook prerouting priority -396
				iifname lan0 meta mark set 0x5
			}
			chain forward {
				type filter hook forward priority 0
				iifname lan0 meta mark 0x105 counter name both
			}
		}
	END
	hold m udp "$client" 10.0.0.2:6000 192.0.2.2:53
	is "answered" "$(agent burst 4 m 3)" 3
	like "packets with both" "$(at "$gw" nft list counter ip marks both)" 'packets 2 '
	at "$gw" nft delete table ip marks
}

start_agent
setup_ns client gw server
cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
cable "$gw" wan1 198.51.100.1/24 "$server" eth1 198.51.100.2/24
address "$server" 192.0.9.9/32 lo
route "$client" default via 10.0.0.1
route "$gw" default via 192.0.2.2
NOTES[$gw]+=$'route add default via 192.0.2.2 table 101
route add default via 198.51.100.2 table 102
rule add lookup main suppress_prefixlength 0 pref 100
rule add fwmark 1 lookup 101 pref 200
rule add fwmark 2 lookup 102 pref 200
rule add from 192.0.2.1 lookup 101 pref 300
rule add from 198.51.100.1 lookup 102 pref 300
'
forwarding "$gw"
apply
agent sysctl "$gw" net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.wan0.rp_filter=2 net.ipv4.conf.wan1.rp_filter=2 >/dev/null
agent sysctl "$server" net.ipv4.conf.all.rp_filter=0 >/dev/null
serve udp "$server" 192.0.9.9:53
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.9.9:80
serve tcp "$client" 10.0.0.2:8080
serve udp "$client" 10.0.0.2:8080
serve tcp "$gw" 0.0.0.0:22
tests_run
