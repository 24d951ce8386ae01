#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Three NUMA nodes, the last of them without memory: its neighbour serves it. CPUs that go and
# come back under traffic. A fourth node that is plugged in, and memory for the third.
#
# vm: --numa 4 --plug

# shellcheck source=selftests/numa_lib.sh
. "$(dirname "$0")/numa_lib.sh"

TESTS=(
	a_node_without_memory_has_no_table
	its_flows_live_on_the_nearest_node
	its_numbers_are_those_of_the_nearest_node
	local_flows_of_both_are_found
	a_cpu_goes_and_comes_back_under_traffic
	flows_of_a_node_without_a_cpu_expire
	a_node_is_plugged_in
	a_namespace_keeps_its_nodes
	a_new_namespace_has_the_new_node
	a_node_far_from_all_cpus_has_no_table
)

# A node with a CPU and no memory, and one that is not there.
BARE=2 NEW=3

prompts() { grep -o '(qemu)' "$TMP/monitor" | wc -l; }
prompted() { (($(prompts) > $1)); }

# The monitor of the machine, see vm/run. It loses what is said before it asks for more.
order() {
	local before
	before=$(prompts)
	printf '%s\n' "$1" >/dev/ttyS3
	comes_true "the monitor asks for more" 20 prompted "$before"
}

plug() { # NODE MEGABYTES
	order "object_add memory-backend-ram,id=p$1,size=$2M"
	order "device_add pc-dimm,id=d$1,memdev=p$1,node=$1"
}

has_memory() {
	local part
	for part in $(tr , ' ' <"$NODE_DIR/has_normal_memory"); do
		((${part%-*} > $1 || $1 > ${part#*-})) || return 0
	done
	return 1
}

switch_cpu() { echo "$2" >"/sys/devices/system/cpu/cpu$1/online"; }

a_node_without_memory_has_no_table() {
	is "nodes" "$(on_each id)" '[0,1]'
}

its_flows_live_on_the_nearest_node() {
	flows_live_on "$BARE" 1
	flows_live_on 0
	flows_live_on 1
}

its_numbers_are_those_of_the_nearest_node() {
	local made
	steer lan0 "$BARE"
	steer wan0 0
	made=$(on_each flows-created)
	is "answered" "$(agent flood 5 m "$client" - 192.0.2.2:53 30)" 30
	is "flows-created" "$(on_each flows-created)" "$(jq -c '.[1] += 30' <<<"$made")"
	sums_agree
}

local_flows_of_both_are_found() {
	local before
	works "flush" fn flow flush
	mode local
	steer lan0 "$BARE"
	steer wan0 1
	before=$(counter remote-hits)
	is "answered" "$(agent flood 5 l "$client" - 192.0.2.2:53 30)" 30
	is "flows of node 1" "$(on_node 1 flows)" 30
	is "remote-hits" "$(counter remote-hits)" "$before"
	mode home
}

has_flows() { [[ $(on_node "$1" flows) == "$2" ]]; }
more_translated() { (($(counter translated) > $1)); }

a_cpu_goes_and_comes_back_under_traffic() {
	local cpu before made i
	cpu=$(cpu_of 1)
	[[ -e /sys/devices/system/cpu/cpu$cpu/online ]] || { skip "no CPU can be switched off"; return; }
	works "flush" fn flow flush
	steer_both 1
	hold t tcp "$client" - 192.0.2.2:80
	like "before" "$(say t)" '^192\.0\.2\.1:'
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	comes_true "flows of node 1" 4 has_flows 1 17
	made=$(counter flows-created)
	for i in 1 2 3; do
		before=$(counter translated)
		works "CPU off, $i" switch_cpu "$cpu" 0
		at_least "translated, $i" "$(counter translated)" "$before"
		comes_true "translated without the CPU, $i" 4 more_translated "$(counter translated)"
		like "without it, $i" "$(say t)" '^192\.0\.2\.1:'
		works "CPU on, $i" switch_cpu "$cpu" 1
		like "with it, $i" "$(say t)" '^192\.0\.2\.1:'
	done
	agent calm >/dev/null
	is "flows-created" "$(counter flows-created)" "$made"
	is "flows of node 1" "$(on_node 1 flows)" 17
	sums_agree
}

# What is done in the background is not bound to a CPU.
flows_of_a_node_without_a_cpu_expire() {
	local cpu
	cpu=$(cpu_of 1)
	[[ -e /sys/devices/system/cpu/cpu$cpu/online ]] || { skip "no CPU can be switched off"; return; }
	works "flush" fn flow flush
	is "answered" "$(agent flood 5 e "$client" - 192.0.2.2:53 10)" 10
	is "flows of node 1" "$(on_node 1 flows)" 10
	works "CPU off" switch_cpu "$cpu" 0
	configure config set --timeout-udp 1
	comes_true "they expire" 10 flows_are 0
	is "flows-expired" "$(counter flows-expired)" 10
	configure config set --timeout-udp 300
	works "CPU on" switch_cpu "$cpu" 1
}

can_plug() { [[ -e /sys/firmware/acpi/hotplug/memory ]] || { skip "the kernel cannot take more memory"; return 1; }; }

a_node_is_plugged_in() {
	can_plug || return 0
	echo online_kernel >/sys/devices/system/memory/auto_online_blocks
	plug "$NEW" 256
	comes_true "memory of node $NEW" 30 has_memory "$NEW" || note "monitor: $(tail -c 300 "$TMP/monitor")"
	is "nodes" "$(cat "$NODE_DIR/online")" 0-3
}

a_namespace_keeps_its_nodes() {
	can_plug || return 0
	is "nodes" "$(on_each id)" '[0,1]'
	flows_live_on "$BARE" 1
	configure config set --buckets 1024
	flows_live_on 1
}

# Another gateway beside the first, configured only now. The new node is as near to the one without
# memory as the old.
a_new_namespace_has_the_new_node() {
	can_plug || return 0
	setup_ns client2 gw2 outer
	cable "$client2" eth0 10.0.0.2/24 "$gw2" lan0 10.0.0.1/24
	cable "$gw2" wan0 198.51.100.1/24 "$outer" eth0 198.51.100.2/24
	route "$client2" default via 10.0.0.1
	forwarding "$gw2"
	apply
	gw=$gw2 client=$client2 TARGET=198.51.100.2:53 NODES=3
	serve udp "$outer" 198.51.100.2:53
	configure policy add masquerade --out wan0
	is "nodes" "$(on_each id)" "[0,1,$NEW]"
	flows_live_on 0
	flows_live_on 1
	flows_live_on "$BARE" "$NEW" 2
	sums_agree
}

# The node without memory gets its own.
a_node_far_from_all_cpus_has_no_table() {
	can_plug || return 0
	plug "$BARE" 256
	comes_true "memory of node $BARE" 30 has_memory "$BARE" || note "monitor: $(tail -c 300 "$TMP/monitor")"
	setup_ns stranger
	gw=$stranger
	configure config set --numa home
	is "nodes" "$(on_each id)" "[0,1,$BARE]"
}

[[ $(cat "$NODE_DIR/has_normal_memory") == 0-1 && $(cat "$NODE_DIR/online") == 0-2 && -c /dev/ttyS3 ]] ||
	skip_all "needs three NUMA nodes, the last without memory, and a machine that can be asked for more"
# The monitor's answers are not to come back to it, and it takes nothing more before they are read.
stty -F /dev/ttyS3 raw -echo
cat /dev/ttyS3 >"$TMP/monitor" &
JOBS+=($!)
NODES=2 LAST=1
numa_topology
tests_run
