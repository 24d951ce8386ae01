#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# When flows expire: by the settings or by their policy; when they are idle or, leased, whatever
# the traffic; and, if the policy says so, soon after a FIN or RST.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#                         hole: swallows 198.18.0.0/15

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_defaults_are_those_of_the_rfcs
	a_new_flow_has_them
	after_a_fin_or_rst_it_has_the_transitory_one
	a_policy_has_times_of_its_own
	another_policy_keeps_those_of_the_settings
	a_time_that_is_lowered_holds_at_once
	a_time_that_is_raised_holds_too
	a_lease_ends_in_spite_of_traffic
	a_lease_that_runs_keeps_its_end
	a_connection_that_ends_leaves_soon
	one_that_is_refused_leaves_soon
	without_the_option_both_stay
	fin_and_rst_shorten_and_syn_lengthens
	the_transitory_time_is_never_the_longer_one
	a_shortened_flow_really_goes
)

the_defaults_are_those_of_the_rfcs() {
	is "TCP, transitory, UDP, ICMP" "$(fn --json config show |
		jq -c '[."timeout-tcp", ."timeout-tcp-transitory", ."timeout-udp", ."timeout-icmp"]')" '[7440,240,300,60]'
}

# left PORT: the seconds that the flow from this inside port has.
left() { fn --json flow list | jq ".[] | select(.orig.\"src-port\" == $1) | .expires"; }
gone() { [[ ! $(left "$1") ]]; }

# between WHAT VALUE LOW HIGH
between() {
	if [[ ! $2 =~ ^[0-9]+$ ]] || (($2 < $3 || $2 > $4)); then
		fail "$1: got '$2', want $3 to $4"
	fi
}

a_new_flow_has_them() {
	like "server saw" "$(ask udp "$client" 10.0.0.2:3990 192.0.2.2:53)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
	hold d tcp "$client" 10.0.0.2:3991 192.0.2.2:80
	like "server saw" "$(say d)" '^192\.0\.2\.1:'
	between "seconds left of UDP" "$(left 3990)" 280 300
	between "seconds left of TCP" "$(left 3991)" 7420 7440
	between "seconds left of ICMP" "$(fn --json flow list --proto icmp | jq '.[0].expires')" 40 60
	works "flush" fn flow flush
}

after_a_fin_or_rst_it_has_the_transitory_one() {
	local port end
	configure policy add masquerade --out wan0 --tcp-fin --priority 5 --id 9
	for end in close reset; do
		port=$((${port:-3991} + 1))
		hold d tcp "$client" "10.0.0.2:$port" 192.0.2.2:80
		like "server saw" "$(say d)" '^192\.0\.2\.1:'
		between "seconds left" "$(left "$port")" 7420 7440
		is "$end" "$(agent "$end" d)" ok
		comes_true "240 s at most after $end" 4 at_most 240 "$port"
		between "seconds left after $end" "$(left "$port")" 220 240
	done
	configure policy del 9
}

a_policy_has_times_of_its_own() {
	configure policy add masquerade --out wan0 --dst 192.0.2.3 --timeout-udp 2 --timeout-icmp 500 --priority 10
	like "server saw" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "server saw" "$(ask udp "$client" 10.0.0.2:4001 192.0.2.3:53)" '^192\.0\.2\.1:'
	between "seconds left" "$(left 4001)" 0 2
	works "ping" at "$client" ping -qc1 -W5 192.0.2.3
	between "seconds left of ICMP" "$(fn --json flow list --proto icmp | jq '.[0].expires')" 400 500
	comes_true "the flow has gone" 6 gone 4001
}

another_policy_keeps_those_of_the_settings() {
	between "seconds left" "$(left 4000)" 250 300
}

a_time_that_is_lowered_holds_at_once() {
	configure config set --timeout-udp 1
	comes_true "the flow has gone" 5 gone 4000
}

a_time_that_is_raised_holds_too() {
	configure config set --timeout-udp 3
	like "server saw" "$(ask udp "$client" 10.0.0.2:4002 192.0.2.2:53)" '^192\.0\.2\.1:'
	configure config set --timeout-udp 1000
	between "seconds left" "$(left 4002)" 900 1000
	# Its slot of the wheel comes all the same.
	like "server saw" "$(ask udp "$client" 10.0.0.2:4003 192.0.2.3:53)" '^192\.0\.2\.1:'
	comes_true "one that is due after it has gone" 6 gone 4003
	between "seconds left" "$(left 4002)" 900 1000
}

a_lease_ends_in_spite_of_traffic() {
	local first begin=$SECONDS
	configure policy add masquerade --out wan0 --dst 192.0.2.4 --expiry absolute --timeout-udp 3 --priority 10 --id 9
	hold l udp "$client" 10.0.0.2:4004
	first=$(say l 192.0.2.4:53)
	like "server saw" "$first" '^192\.0\.2\.1:'
	between "seconds left" "$(left 4004)" 1 3
	is "soon after" "$(say l 192.0.2.4:53)" "$first"
	comes_true "another outside endpoint" 8 changed l 192.0.2.4:53 "$first"
	# As it was chosen at random, it may have come to the same by chance; not in so short a time.
	at_least "seconds until then" $((SECONDS - begin)) 2
	is "flows by the policy" "$(fn --json policy list | jq '.[] | select(.id == 9) | .flows')" 1
}

# changed NAME SERVER ENDPOINT: also keeps it busy. An answer that crosses the end of the lease is lost.
changed() {
	local seen
	seen=$(say "$1" "$2")
	[[ $seen == *:* && $seen != "$3" ]]
}

a_lease_that_runs_keeps_its_end() {
	local before
	unconfigure
	configure policy add masquerade --out wan0 --expiry absolute
	configure config set --timeout-udp 100
	like "server saw" "$(ask udp "$client" 10.0.0.2:4005 192.0.2.2:53)" '^192\.0\.2\.1:'
	before=$(left 4005)
	between "seconds left" "$before" 90 100
	configure config set --timeout-udp 1000
	between "seconds left" "$(left 4005)" 80 "$before"
	is "binding" "$(fn --json binding list | jq '.[0].expires > 80')" true
}

tcp_policies() {
	unconfigure
	configure policy add masquerade --out wan0 --proto tcp --dst 192.0.2.2 --tcp-fin
	configure policy add masquerade --out wan0
	configure config set --timeout-tcp 1000 --timeout-tcp-transitory 100
}

a_connection_that_ends_leaves_soon() {
	tcp_policies
	hold t tcp "$client" 10.0.0.2:4010 192.0.2.2:80
	like "server saw" "$(say t)" '^192\.0\.2\.1:'
	between "seconds left" "$(left 4010)" 900 1000
	agent close t >/dev/null
	comes_true "100 s at most" 4 at_most 100 4010
	between "seconds left" "$(left 4010)" 50 100
}

at_most() { (($(left "$2") <= $1)); }

one_that_is_refused_leaves_soon() {
	is "answer" "$(ask tcp "$client" 10.0.0.2:4011 192.0.2.2:9)" refused
	between "seconds left" "$(left 4011)" 50 100
}

without_the_option_both_stay() {
	like "server saw" "$(ask tcp "$client" 10.0.0.2:4012 192.0.2.3:80)" '^192\.0\.2\.1:'
	is "answer" "$(ask tcp "$client" 10.0.0.2:4013 192.0.2.3:9)" refused
	between "seconds left of one that ended" "$(left 4012)" 900 1000
	between "seconds left of one that was refused" "$(left 4013)" 900 1000
}

# segment PORT FLAGS: TCP from there into the hole, where nobody answers.
segment() {
	is "sent" "$(agent raw "$client" 10.0.0.2 198.18.0.1 6 "$(printf '%04x0050%08x%08x50%02x040000000000' "$1" 1 1 "$2")")" ok
}
FIN=0x11 SYN=0x02 RST=0x04 ACK=0x10

into_the_hole() {
	unconfigure
	configure policy add masquerade --out hole --tcp-fin
}

fin_and_rst_shorten_and_syn_lengthens() {
	into_the_hole
	segment 4020 "$SYN"
	between "after a SYN" "$(left 4020)" 900 1000
	segment 4020 "$ACK"
	segment 4020 "$FIN"
	between "after a FIN" "$(left 4020)" 50 100
	segment 4020 "$ACK"
	between "after one more ACK" "$(left 4020)" 50 100
	segment 4020 "$SYN"
	between "after a new SYN" "$(left 4020)" 900 1000
	segment 4020 "$RST"
	between "after a RST" "$(left 4020)" 50 100
	is "flows" "$(flows)" 1
}

the_transitory_time_is_never_the_longer_one() {
	configure config set --timeout-tcp 20
	between "seconds left" "$(left 4020)" 0 20
	configure config set --timeout-tcp 1000
}

a_shortened_flow_really_goes() {
	configure config set --timeout-tcp-transitory 1
	segment 4021 "$SYN"
	comes_true "the one that had ended has gone" 5 gone 4020
	between "seconds left of the other" "$(left 4021)" 900 1000
	segment 4021 "$FIN"
	comes_true "it has gone" 10 gone 4021
	is "flows" "$(flows)" 0
}

gateway_topology
modprobe dummy 2>/dev/null
ip -n "$gw" -batch - <<'END'
link add hole type dummy
link set hole up
addr add 198.18.0.254/15 dev hole
END
configure policy add masquerade --out wan0
for addr in 192.0.2.2 192.0.2.3 192.0.2.4; do
	serve udp "$server" "$addr:53"
done
serve tcp "$server" 192.0.2.2:80
serve tcp "$server" 192.0.2.3:80
tests_run
