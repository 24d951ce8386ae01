#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# While packets are offloaded, what they go by is taken away: an interface, the module, the namespace;
# twenty times in all. Nothing hangs, and the kernel has nothing to complain about.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	the_interfaces_are_deleted
	the_namespace_is_deleted
	an_interface_moves_to_another_namespace
	the_module_is_unloaded
	nothing_is_left_behind
)

new_gateway() {
	setup_ns gw
	cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
	cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
	route "$client" default via 10.0.0.1
	forwarding "$gw"
	apply
	offload
}

offload() {
	configure policy add masquerade --out wan0
	configure config set --offload on --offload-after 1
}

# The cables go with the namespace, a moment later.
end_gateway() {
	works "delete" ip netns del "$gw"
	unset "NAMESPACES[-1]"
	gw=
	comes_true "the cables are gone" 10 no_cables
}

no_cables() { ! ip -n "$client" link show eth0 && ! ip -n "$server" link show eth0; }
some_offloaded() { (($(counter offloaded) > 4)); }
busy() { comes_true "offloaded, $1" 6 some_offloaded; }

the_interfaces_are_deleted() {
	local i
	for ((i = 0; i < 6; i++)); do
		new_gateway
		busy "$i" || return
		if ((i % 2)); then
			works "delete" ip -n "$gw" link del wan0
		else
			works "delete" ip -n "$client" link del eth0
		fi
		end_gateway || return
	done
}

the_namespace_is_deleted() {
	local i
	for ((i = 0; i < 6; i++)); do
		new_gateway
		busy "$i" || return
		end_gateway || return
	done
}

an_interface_moves_to_another_namespace() {
	new_gateway
	busy 0
	works "move" ip -n "$gw" link set wan0 netns "$client" name moved
	works "delete" ip -n "$client" link del moved
	end_gateway
}

the_module_is_unloaded() {
	local i
	new_gateway
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	for ((i = 0; i < 7; i++)); do
		busy "$i" || return
		works "unload" rmmod fastnat || return
		works "load" load_module || return
		offload
	done
}

# A namespace or a device that somebody holds on to would be seen here, or in the kernel's log.
nothing_is_left_behind() {
	busy last
	end_gateway
	agent calm >/dev/null
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	works "load" load_module
}

start_agent
setup_ns client server
apply
serve udp "$server" 0.0.0.0:53
is "traffic" "$(agent pour "$client" 192.0.2.2:53 3)" ok
tests_run
