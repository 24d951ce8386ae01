#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two gateways, each in its namespace, with the same network inside: what one
# knows, the other does not.
#
#   client 10.0.0.2 ---- gw  10.0.0.1 | 192.0.2.1    ---- 192.0.2.2 ----.
#                                                                       server
#   twin   10.0.0.2 ---- gw2 10.0.0.1 | 198.51.100.1 ---- 198.51.100.2 -'

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	both_gateways_translate_the_same_tuple
	each_lists_its_own
	a_limit_is_of_one_namespace
	one_without_policies_leaves_the_other_alone
	the_tables_of_init_stay_empty
)

both_gateways_translate_the_same_tuple() {
	configure policy add masquerade --out wan0 --id 7
	gw=$gw2 configure policy add masquerade --out wan0 --id 7
	hold a udp "$client" 10.0.0.2:4000
	hold b udp "$twin" 10.0.0.2:4000
	like "first" "$(say a 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "second" "$(say b 198.51.100.2:53)" '^198\.51\.100\.1:'
	like "first again" "$(say a 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "TCP, first" "$(ask tcp "$client" 10.0.0.2:4001 192.0.2.2:80)" '^192\.0\.2\.1:'
	like "TCP, second" "$(ask tcp "$twin" 10.0.0.2:4001 198.51.100.2:80)" '^198\.51\.100\.1:'
}

each_lists_its_own() {
	is "first" "$(fn --json flow list | jq -c 'map(.translated."src-addr") | unique')" '["192.0.2.1"]'
	is "second" "$(gw=$gw2 fn --json flow list | jq -c 'map(.translated."src-addr") | unique')" '["198.51.100.1"]'
}

a_limit_is_of_one_namespace() {
	gw=$gw2 configure config set --timeout-udp 111 --max-flows 1000
	is "second" "$(gw=$gw2 fn --json config show | jq -c '[."timeout-udp", ."max-flows"]')" '[111,1000]'
	isnt "first" "$(fn --json config show | jq '."timeout-udp"')" 111
}

one_without_policies_leaves_the_other_alone() {
	works "delete" fn policy del 7
	is "first's flows" "$(flows)" 0
	is "answer" "$(silent say a 192.0.2.2:53)" timeout
	like "second" "$(say b 198.51.100.2:53)" '^198\.51\.100\.1:'
	like "second, new" "$(ask udp "$twin" - 198.51.100.2:53)" '^198\.51\.100\.1:'
}

the_tables_of_init_stay_empty() {
	is "flows" "$("$FASTNAT" --json flow list | jq length)" 0
	is "policies" "$("$FASTNAT" --json policy list | jq length)" 0
}

gateway_topology
setup_ns twin gw2
cable "$twin" eth0 10.0.0.2/24 "$gw2" lan0 10.0.0.1/24
cable "$gw2" wan0 198.51.100.1/24 "$server" eth1 198.51.100.2/24
route "$twin" default via 10.0.0.1
forwarding "$gw2"
apply
serve udp "$server" 0.0.0.0:53
serve tcp "$server" 0.0.0.0:80
tests_run
