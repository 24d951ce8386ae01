#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two NUMA nodes: a flow lives in the table of the node whose CPU made it; replies that
# arrive on the other node are translated all the same, and counted. Receive packet
# steering decides which CPU handles the packets of either interface.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#             CPU of one node, CPU of one node
#
# vm: --numa 2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	every_node_has_its_table
	flows_of_the_first_node_live_there
	flows_of_the_second_node_live_there
	replies_on_the_other_node_are_translated_and_counted
	replies_on_the_same_node_are_not_remote
	large_transfers_across_nodes
	a_pool_of_one_block_serves_both_nodes
	two_ports_to_one_server_never_share_a_reply
)

# The first CPU of a node.
cpu_of() { sed 's/[-,].*//' "/sys/devices/system/node/node$1/cpulist"; }

# steer IF NODE
steer() {
	printf '%x' $((1 << $(cpu_of "$2"))) |
		ip netns exec "$gw" tee "/sys/class/net/$1/queues/rx-0/rps_cpus" >/dev/null || fail "steering $1"
}

on_node() { fn --json stats | jq ".node[] | select(.id == $1) | .$2"; }

every_node_has_its_table() {
	is "nodes" "$(fn --json stats | jq -c '[.node[].id]')" '[0,1]'
	at_least "buckets of node 1" "$(on_node 1 buckets)" 1
}

# flows_live_on NODE OTHER
flows_live_on() {
	works "flush" fn flow flush
	steer lan0 "$1"
	steer wan0 "$1"
	is "answered" "$(agent flood 5 "n$1-" "$client" - 192.0.2.2:53 30)" 30
	is "flows of node $1" "$(on_node "$1" flows)" 30
	is "flows of node $2" "$(on_node "$2" flows)" 0
	is "nodes named by the flows" "$(fn --json flow list | jq -c 'map(.node) | unique')" "[$1]"
	is "nodes of the outside ports" "$(fn --json binding list |
		jq -c 'map((."outside-port" / 512 | floor) % 2) | unique')" "[$1]"
}

flows_of_the_first_node_live_there() { flows_live_on 0 1; }
flows_of_the_second_node_live_there() { flows_live_on 1 0; }

replies_on_the_other_node_are_translated_and_counted() {
	local before
	works "flush" fn flow flush
	steer lan0 0
	steer wan0 1
	before=$(counter remote-hits)
	is "answered" "$(agent flood 5 r "$client" - 192.0.2.2:53 30)" 30
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80 5000)" '^192\.0\.2\.1:'
	at_least "remote-hits" "$(counter remote-hits)" $((before + 30))
	is "flows of node 1" "$(on_node 1 flows)" 0
}

replies_on_the_same_node_are_not_remote() {
	local before
	steer wan0 0
	before=$(counter remote-hits)
	is "answered" "$(agent flood 5 s "$client" - 192.0.2.2:53 10)" 10
	is "remote-hits" "$(counter remote-hits)" "$before"
}

large_transfers_across_nodes() {
	steer lan0 1
	steer wan0 0
	is "out" "$(transfer "$client" "$server" 192.0.2.2 81 2)" intact
	is "in" "$(transfer "$server" "$client" 192.0.2.1 81 2)" intact
}

a_pool_of_one_block_serves_both_nodes() {
	local node
	unconfigure
	configure pool add block --range 203.0.113.5 --ports 1024-1123
	configure policy add snat --pool block --out wan0
	for node in 0 1; do
		steer lan0 "$node"
		is "answered on node $node" "$(agent flood 5 "b$node-" "$client" - 192.0.2.2:53 10)" 10
	done
}

# The outside ports are of different nodes, and so would the flows be.
two_ports_to_one_server_never_share_a_reply() {
	local first second before
	unconfigure
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 8080 --to 10.0.0.2:80
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 8592 --to 10.0.0.2:80
	hold d udp "$server" 192.0.2.2:7000
	for first in 8080 8592; do
		second=$((8080 + 8592 - first))
		works "flush" fn flow flush
		before=$(counter drop-conflict)
		is "by port $first" "$(say d "192.0.2.1:$first")" 192.0.2.2:7000
		is "by port $second as well" "$(silent say d "192.0.2.1:$second")" timeout
		is "drop-conflict" "$(counter drop-conflict)" $((before + 1))
		is "by port $first again" "$(say d "192.0.2.1:$first")" 192.0.2.2:7000
		is "ports of the flows" "$(fn --json flow list | jq -c 'map(.orig."dst-port")')" "[$first]"
	done
}

nodes=(/sys/devices/system/node/node[0-9]*)
((${#nodes[@]} == 2)) || skip_all "needs 2 NUMA nodes, this machine has ${#nodes[@]}"
[[ $(cpu_of 0) && $(cpu_of 1) ]] || skip_all "needs a CPU on each node"
gateway_topology
configure policy add masquerade --out wan0
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
serve udp "$client" 10.0.0.2:80
tests_run
