#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Aggregation, packet by packet: each rule is a burst of segments into one poll of GRO. What comes out of
# it is compared byte by byte, in order; so is what leaves the gateway, cut up again by the kernel; and the
# counters must name the rule. Each burst goes by three devices: mode off, strict and lro.
#
#   client                       gw                       server
#   eth0 -------------- lan0 (off)
#   eth1 -------------- lan1 (strict)  wan0 -------------- eth0
#   eth2 -------------- lan2 (lro)      no TSO
#   10.0.N.2                            192.0.2.1     192.0.2.2
#   2001:db8:aN::2                             2001:db8:ff::2
#
# Neither client nor server has the addresses: no stack of theirs is to answer. One reason is never counted
# here, shared: what GRO holds of these devices is no clone.
#
# SEED=N, BURSTS=N: the random bursts, and how many of each family.

# shellcheck source=selftests/lro_lib.sh
. "$(dirname "$0")/lro_lib.sh"

# What mode lro never touches.
REFUSALS=(padding not_tcp ip_options fragments congestion_experienced no_data cwr ece syn fin urg psh rst no_ack tcp_options)
# What ends an aggregate.
ENDS=(sequence ack_goes_back timestamp_goes_back header longer_than_the_first shorter_than_the_first limit the_end_of_a_poll
	wrong_checksum)
# What is aggregated.
MERGED=(a_plain_train an_identification_that_stays acks_go_forward windows_change timestamps_go_forward
	traffic_of_both_ways checksums_left_to_devices headers_in_pages flows_do_not_mix)

TESTS=(
	"${REFUSALS[@]}"
	"${ENDS[@]}"
	"${MERGED[@]}"
	another_limit
	the_largest_limit_and_size
	never_a_list_of_packets
	translated_aggregates
	any_mixture_of_all_this
)

SEED=${SEED:-$RANDOM}
BURSTS=${BURSTS:-12}
SERVER_MAC=02:00:00:00:00:02

for name in "${REFUSALS[@]}" "${ENDS[@]}" "${MERGED[@]}"; do
	eval "$name() { rule $name; }"
done

start_rules() {
	mkfifo "$TMP/to" "$TMP/from"
	# With /sys of the gateway.
	FASTNAT=$FASTNAT ip netns exec "$gw" python3 -BS "$HERE/lro_rules.py" <"$TMP/to" >"$TMP/from" 2>"$TMP/errors" &
	JOBS+=($!)
	exec {TO_RULES}>"$TMP/to" {FROM_RULES}<"$TMP/from"
}

# rules COMMAND…: prints the notes of lro_rules.py, fails if it does.
rules() {
	local line=
	printf '%s\n' "$*" >&"$TO_RULES"
	while IFS= read -rt $(((60 + BURSTS) * SLOW)) line <&"$FROM_RULES"; do
		case $line in
		ok) return ;;
		failed) break ;;
		*) echo "$line" ;;
		esac
	done
	[[ ! -s $TMP/errors ]] || tail -n 20 "$TMP/errors" | sed 's/^/# /'
	fail "$*: ${line:-no answer}"
}

rule() { rules rule "$1"; }

limits() {
	configure lro set dev lan1 limit "$1"
	configure lro set dev lan2 limit "$1"
}

another_limit() {
	limits 3
	rule limit_3
	limits 16
}

the_largest_limit_and_size() {
	limits 64
	rule limit_64
	limits 16
}

# rx-gro-list is for UDP; TCP in a list would have to be the same byte by byte.
never_a_list_of_packets() {
	at "$gw" ethtool -K lan2 rx-gro-list on
	rule fraglist
	at "$gw" ethtool -K lan2 rx-gro-list off
}

# The source of all that leaves is the gateway's.
translated_aggregates() {
	configure policy add masquerade --out wan0
	rules translated traffic_of_both_ways 192.0.2.1
	unconfigure
}

# Against the rules as lro_rules_model.py tells them.
any_mixture_of_all_this() {
	note "SEED=$SEED"
	rules random "$SEED" "$BURSTS"
}

# Jumbo frames, so that the size of an aggregate is a matter of its segments.
topology() {
	local number
	start_agent
	setup_ns client gw server
	for number in 0 1 2; do cable "$client" "eth$number" - "$gw" "lan$number" "10.0.$number.1/24"; done
	cable "$gw" wan0 192.0.2.1/24 "$server" eth0 -
	forwarding "$gw"
	apply
	for number in 0 1 2; do
		ip -n "$client" link set "eth$number" mtu 9000
		six "lan$number" "2001:db8:a$number::1"
		gro_link "$gw" "lan$number" "$client" "eth$number"
	done
	six wan0 2001:db8:ff::1
	is "forwarding of IPv6" "$(agent sysctl "$gw" net.ipv6.conf.all.forwarding=1)" ok
	way_out
}

six() { # IF ADDR
	is "IPv6 of $1" "$(agent sysctl "$gw" "net.ipv6.conf.$1.disable_ipv6=0")" ok
	ip -n "$gw" link set "$1" mtu 9000
	ip -n "$gw" -6 addr add "$2/64" dev "$1" nodad
}

# What leaves is cut up and has all its checksums.
way_out() {
	at "$gw" ethtool -K wan0 tso off gso off tx off >/dev/null
	ip -n "$server" link set eth0 mtu 9000 address "$SERVER_MAC"
	ip -n "$gw" -batch - <<-END
		neigh add 192.0.2.2 lladdr $SERVER_MAC dev wan0
		neigh add 2001:db8:ff::2 lladdr $SERVER_MAC dev wan0
	END
}

topology
configure lro set dev lan0 mode off
configure lro set dev lan1 mode strict limit 16
configure lro set dev lan2 mode lro limit 16
start_rules
rules links "$client" "$gw" "$server" off strict lro
tests_run
