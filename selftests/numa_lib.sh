# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests of NUMA: the gateway on any number of nodes. Receive packet steering decides
# which CPU handles the packets of either interface.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#             CPU of one node, CPU of one node
#
# The nodes that should have tables are 0 to NODES - 1; LAST is the last of them.
# shellcheck shell=bash

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NODE_DIR=/sys/devices/system/node

# ---- helpers ----

# The first CPU of a node.
cpu_of() { sed 's/[-,].*//' "$NODE_DIR/node$1/cpulist"; }

# steer IF NODE: where there is but one, it may have no number, and nothing can be steered.
steer() {
	((NODES > 1)) || return 0
	printf '%x' $((1 << $(cpu_of "$2"))) |
		ip netns exec "$gw" tee "/sys/class/net/$1/queues/rx-0/rps_cpus" >/dev/null || fail "steering $1"
}

# steer_both NODE
steer_both() { steer lan0 "$1"; steer wan0 "$1"; }

every_node() { seq 0 "$LAST"; }
on_node() { fn --json stats | jq ".node[] | select(.id == $1) | .\"$2\""; }
# That of each node, in a list.
on_each() { fn --json stats | jq -c "[.node[].\"$1\"]"; }
mode() { configure config set --numa "$1"; }
needs_nodes() { ((NODES >= $1)) || { skip "needs $1 nodes"; return 1; }; }

# flows_live_on NODE [HOME [PLACE]]: packets that CPUs of NODE handle make flows in the tables of HOME,
# which is the PLACEth of the nodes with tables, from 0.
flows_live_on() {
	local home=${2:-$1} place=${3:-${2:-$1}}
	works "flush" fn flow flush
	steer_both "$1"
	is "answered" "$(agent flood 5 "n$1-" "$client" - "$TARGET" 30)" 30
	is "flows of node $home" "$(on_node "$home" flows)" 30
	is "flows of all" "$(counter flows)" 30
	is "nodes named by the flows" "$(fn --json flow list | jq -c 'map(.node) | unique')" "[$home]"
	is "nodes of the outside ports" "$(fn --json binding list |
		jq -c "map((.\"outside-port\" / 512 | floor) % $NODES) | unique")" "[$place]"
}

# The numbers of the nodes add up to those of the namespace.
sums_agree() {
	local name
	for name in translated flows-created remote-hits; do
		is "sum of $name" "$(fn --json stats | jq "([.node[].\"$name\"] | add) == .\"$name\"")" true
	done
}

numa_topology() {
	gateway_topology
	TARGET=192.0.2.2:53
	base_policies
	serve udp "$server" 192.0.2.2:53
	serve tcp "$server" 192.0.2.2:80
	serve udp "$client" 10.0.0.2:80
}

base_policies() {
	configure policy add masquerade --out wan0
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 8080 --to 10.0.0.2:80
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 8592 --to 10.0.0.2:80
}

# ---- tests on any number of nodes ----

# shellcheck disable=SC2034 # the tests use it
NUMA_TESTS=(
	every_node_has_its_table
	flows_live_on_the_node_that_makes_them
	replies_on_another_node_are_translated_and_counted
	replies_on_another_node_are_offloaded_too
	replies_on_the_same_node_are_not_remote
	numbers_are_those_of_the_node
	large_transfers_across_nodes
	a_pool_of_one_block_serves_all_nodes
	two_ports_to_one_server_never_share_a_reply
	local_flows_are_found_on_their_node
	local_replies_on_another_node_are_not_found
	local_nodes_take_no_ports_of_others
	local_nodes_keep_only_ports_of_their_own
	local_flows_are_found_when_nodes_look_around_again
	local_twins_are_not_left
	changing_the_mode_in_traffic_leaves_nothing_behind
)

every_node_has_its_table() {
	is "nodes" "$(on_each id)" "$(every_node | jq -sc .)"
	is "nodes without buckets" "$(fn --json stats | jq '[.node[] | select(.buckets < 1)] | length')" 0
}

flows_live_on_the_node_that_makes_them() {
	local node
	for node in $(every_node); do
		flows_live_on "$node"
	done
}

replies_on_another_node_are_translated_and_counted() {
	local before
	needs_nodes 2 || return 0
	works "flush" fn flow flush
	steer lan0 0
	steer wan0 "$LAST"
	before=$(counter remote-hits)
	is "answered" "$(agent flood 5 r "$client" - 192.0.2.2:53 30)" 30
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80 5000)" '^192\.0\.2\.1:'
	at_least "remote-hits" "$(counter remote-hits)" $((before + 30))
	is "flows of node $LAST" "$(on_node "$LAST" flows)" 0
}

replies_on_another_node_are_offloaded_too() {
	local before
	needs_nodes 2 || return 0
	steer lan0 0
	steer wan0 "$LAST"
	configure config set --offload on
	hold far udp "$client" 10.0.0.2:4321 192.0.2.2:53
	is "answered while it learns" "$(agent burst 4 far 6)" 6
	before=$(counter offloaded)
	is "answered" "$(agent burst 4 far 5)" 5
	is "packets offloaded, both ways" "$(($(counter offloaded) - before))" 10
	configure config set --offload off
}

replies_on_the_same_node_are_not_remote() {
	local before
	steer_both 0
	before=$(counter remote-hits)
	is "answered" "$(agent flood 5 s "$client" - 192.0.2.2:53 10)" 10
	is "remote-hits" "$(counter remote-hits)" "$before"
}

numbers_are_those_of_the_node() {
	local made hits
	steer lan0 0
	steer wan0 "$LAST"
	made=$(on_each flows-created) hits=$(on_node "$LAST" remote-hits)
	is "answered" "$(agent flood 5 m "$client" - 192.0.2.2:53 30)" 30
	is "flows-created" "$(on_each flows-created)" "$(jq -c '.[0] += 30' <<<"$made")"
	at_least "translated on node $LAST" "$(on_node "$LAST" translated)" 30
	((NODES == 1)) || at_least "remote-hits on node $LAST" "$(on_node "$LAST" remote-hits)" $((hits + 30))
	sums_agree
}

large_transfers_across_nodes() {
	steer lan0 "$LAST"
	steer wan0 0
	is "out" "$(transfer "$client" "$server" 192.0.2.2 81 2)" intact
	is "in" "$(transfer "$server" "$client" 192.0.2.1 81 2)" intact
}

# In place of all else: 100 ports, which are of one node.
pool_of_one_block() {
	unconfigure
	configure pool add block --range 203.0.113.5 --ports 1024-1123
	configure policy add snat --pool block --out wan0
}

a_pool_of_one_block_serves_all_nodes() {
	local node
	pool_of_one_block
	for node in $(every_node); do
		steer lan0 "$node"
		is "answered on node $node" "$(agent flood 5 "b$node-" "$client" - 192.0.2.2:53 10)" 10
	done
	unconfigure
	base_policies
}

# The outside ports are of different nodes, and so would the flows be.
two_ports_to_one_server_never_share_a_reply() {
	local first second before
	hold d udp "$server" 192.0.2.2:7000
	for first in 8080 8592; do
		second=$((8080 + 8592 - first))
		works "flush" fn flow flush
		before=$(counter drop-conflict)
		is "by port $first" "$(say d "192.0.2.1:$first")" 192.0.2.2:7000
		is "by port $second as well" "$(silent say d "192.0.2.1:$second")" timeout
		is "drop-conflict" "$(counter drop-conflict)" $((before + 1))
		is "by port $first again" "$(say d "192.0.2.1:$first")" 192.0.2.2:7000
		# Of TCP, a last segment of the tests before may have begun one.
		is "ports of the flows" "$(fn --json flow list --proto udp | jq -c 'map(.orig."dst-port")')" "[$first]"
	done
}

local_flows_are_found_on_their_node() {
	local node before
	mode local
	before=$(counter remote-hits)
	for node in $(every_node); do
		flows_live_on "$node"
		works "flush" fn flow flush
		hold d udp "$server" 192.0.2.2:7000
		is "in by port 8080 on node $node" "$(say d 192.0.2.1:8080)" 192.0.2.2:7000
		is "nodes of the flows" "$(fn --json flow list | jq -c 'map(.node)')" "[$node]"
	done
	is "remote-hits" "$(counter remote-hits)" "$before"
	mode home
}

local_replies_on_another_node_are_not_found() {
	local before
	needs_nodes 2 || return 0
	works "flush" fn flow flush
	mode local
	steer lan0 0
	steer wan0 "$LAST"
	before=$(counter remote-hits)
	is "answered" "$(agent flood 0.8 x "$client" - 192.0.2.2:53 10)" 0
	is "flows of each node" "$(on_each flows)" "$(every_node | jq -sc 'map(if . == 0 then 10 else 0 end)')"
	is "remote-hits" "$(counter remote-hits)" "$before"
	steer wan0 0
	like "on its node" "$(say x3)" '^192\.0\.2\.1:'
	mode home
}

local_nodes_take_no_ports_of_others() {
	local node home=$((1024 / 512 % NODES)) before
	pool_of_one_block
	mode local
	for node in $(every_node); do
		steer_both "$node"
		before=$(counter drop-ports)
		if ((node == home)); then
			is "answered on node $node" "$(agent flood 5 "o$node-" "$client" - 192.0.2.2:53 10)" 10
		else
			is "answered on node $node" "$(agent flood 0.8 "o$node-" "$client" - 192.0.2.2:53 2)" 0
			is "drop-ports" "$(counter drop-ports)" $((before + 2))
		fi
	done
	unconfigure
	base_policies
	mode home
}

local_nodes_keep_only_ports_of_their_own() {
	local node port
	unconfigure
	configure pool add kept --range 203.0.113.6 --allocation preserve
	configure policy add snat --pool kept --out wan0
	mode local
	for node in $(every_node); do
		steer_both "$node"
		port=$((512 * (4 * NODES + node) + 7))
		is "own port on node $node" "$(ask udp "$client" "10.0.0.2:$port" 192.0.2.2:53)" "203.0.113.6:$port"
		((NODES > 1)) || continue
		port=$((512 * (4 * NODES + (node + 1) % NODES) + 8))
		unlike "other port on node $node" "$(ask udp "$client" "10.0.0.2:$port" 192.0.2.2:53)" ":$port$"
		like "other port on node $node" "$(ask udp "$client" "10.0.0.2:$port" 192.0.2.2:53)" '^203\.0\.113\.6:'
	done
	unconfigure
	base_policies
	mode home
}

local_flows_are_found_when_nodes_look_around_again() {
	local before
	works "flush" fn flow flush
	mode local
	steer_both 0
	is "answered" "$(agent flood 5 h "$client" - 192.0.2.2:53 10)" 10
	hold d udp "$server" 192.0.2.2:7000
	is "in by port 8080" "$(say d 192.0.2.1:8080)" 192.0.2.2:7000
	mode home
	steer_both "$LAST"
	before=$(counter remote-hits)
	like "out" "$(say h3)" '^192\.0\.2\.1:'
	is "in" "$(say d 192.0.2.1:8080)" 192.0.2.2:7000
	((NODES == 1)) || at_least "remote-hits" "$(counter remote-hits)" $((before + 2))
	is "flows of each node" "$(on_each flows)" "$(every_node | jq -sc 'map(if . == 0 then 11 else 0 end)')"
}

# Nodes that do not look at each other make two flows for one source, or with one way back.
local_twins_are_not_left() {
	local port
	needs_nodes 2 || return 0
	works "flush" fn flow flush
	mode local
	hold d udp "$server" 192.0.2.2:7000
	hold e udp "$client" 10.0.0.2:7001
	steer_both 0
	is "in" "$(say d 192.0.2.1:8080)" 192.0.2.2:7000
	like "out" "$(say e 192.0.2.2:53)" '^192\.0\.2\.1:'
	steer_both "$LAST"
	is "in on node $LAST by another port" "$(say d 192.0.2.1:8592)" 192.0.2.2:7000
	like "out on node $LAST" "$(say e 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "flows of node 0" "$(on_node 0 flows)" 2
	is "flows of node $LAST" "$(on_node "$LAST" flows)" 2
	mode home
	is "flows of each node" "$(on_each flows)" "$(every_node | jq -sc "map(if . == $LAST then 2 else 0 end)")"
	steer_both 0
	is "in on node 0" "$(say d 192.0.2.1:8592)" 192.0.2.2:7000
	like "out on node 0" "$(say e 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "flows of all" "$(counter flows)" 2
}

changing_the_mode_in_traffic_leaves_nothing_behind() {
	local i
	steer lan0 0
	steer wan0 "$LAST"
	is "traffic out" "$(agent pour "$client" 192.0.2.2:53)" ok
	is "traffic in" "$(agent pour "$server" 192.0.2.1:8080)" ok
	for i in {1..8}; do
		mode local
		steer lan0 $((i % NODES))
		mode home
		((i % 4)) || works "flush" fn flow flush
	done
	like "out" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	agent calm >/dev/null
	unconfigure
	is "flows" "$(counter flows)" 0
	is "bindings" "$(counter bindings)" 0
	is "flows-flushed" "$(counter flows-flushed)" "$(counter flows-created)"
	base_policies
}

# needs_machine NODES
needs_machine() {
	local dirs=("$NODE_DIR"/node[0-9]*) node
	((${#dirs[@]} == $1)) || skip_all "needs $1 NUMA nodes, this machine has ${#dirs[@]}"
	(($1 == 1)) || for node in "${dirs[@]}"; do
		[[ $(cpu_of "${node##*node}") ]] || skip_all "needs a CPU on each node"
	done
	NODES=$1 LAST=$(($1 - 1))
}
