#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bindings added by request: without any flow, and without a word from inside, the outside
# reaches the inside endpoint; they end when they are deleted, with their lifetime, or with
# their policy.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3
#   pool: 203.0.113.5-203.0.113.6

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	it_lets_the_outside_in_without_any_flow
	what_the_inside_endpoint_sends_leaves_from_it
	it_is_listed
	tcp_may_be_opened_from_outside
	a_ping_leaves_with_its_identifier
	a_port_of_the_kernels_choice
	what_is_taken_or_makes_no_sense_is_refused
	nothing_changed_by_that
	an_expired_one_lets_nobody_in
	a_deleted_one_lets_nobody_in
	flows_keep_it_until_the_last
	it_goes_with_its_policy
	of_masquerade_it_goes_with_the_address
	a_port_of_the_kernels_choice_is_nobody_elses
	of_masquerade_the_address_is_one_of_its_interfaces
	of_a_pool_the_port_may_be_one_that_it_does_not_give
	nothing_left_with_an_inside_address
)

# add INSIDE OUTSIDE WORDS…
add() { configure binding add --policy 7 --proto "${PROTO:-udp}" --inside "$1" --outside "$2" "${@:3}"; }
del() { fn binding del --proto "${PROTO:-udp}" --outside "$1"; }
no_bindings() { [[ $(bindings) == 0 ]]; }

# knock ENDPOINT: what the client's socket "u" hears of what the server sends there.
knock() {
	agent tell x "$1" knock >/dev/null
	hear u
}

it_lets_the_outside_in_without_any_flow() {
	is "before" "$(silent knock 203.0.113.5:5000)" timeout
	add 10.0.0.2:4000 203.0.113.5:5000
	is "client heard" "$(knock 203.0.113.5:5000)" "192.0.2.2:999 knock"
	is "flows" "$(flows)" 0
	is "bindings" "$(bindings)" 1
}

what_the_inside_endpoint_sends_leaves_from_it() {
	is "server saw" "$(say u 192.0.2.3:53)" 203.0.113.5:5000
	is "bindings" "$(bindings)" 1
}

it_is_listed() {
	is "binding" "$(fn --json binding list | jq -c '.[0] | [.proto, ."inside-addr", ."inside-port",
		."outside-addr", ."outside-port", .policy, .flows, .static, .expires]')" \
		'["udp","10.0.0.2",4000,"203.0.113.5",5000,7,1,true,null]'
}

tcp_may_be_opened_from_outside() {
	PROTO=tcp add 10.0.0.2:80 203.0.113.5:8080
	is "the inside listener saw" "$(ask tcp "$server" 192.0.2.2:5001 203.0.113.5:8080)" 192.0.2.2:5001
}

# Only what an inside host asks has an identifier to be mapped (RFC 5508).
a_ping_leaves_with_its_identifier() {
	PROTO=icmp add 10.0.0.2:77 203.0.113.6:1234
	works "ping" at "$client" ping -qc1 -W5 -e 77 192.0.2.2
	is "outside" "$(fn --json flow list --proto icmp | jq -c '.[] | .translated | [."src-addr", ."src-port"]')" '["203.0.113.6",1234]'
}

a_port_of_the_kernels_choice() {
	local port
	port=$(fn --json binding add --policy 7 --proto udp --inside 10.0.0.2:4001 --outside 203.0.113.6 | jq '."outside-port"')
	at_least "port" "$port" 1024
	hold v udp "$client" 10.0.0.2:4001
	is "server saw" "$(say v 192.0.2.2:53)" "203.0.113.6:$port"
}

# refused WORD INSIDE OUTSIDE [POLICY [PROTO]]
refused() {
	local output status=0
	output=$(fn binding add --policy "${4:-7}" --proto "${5:-udp}" --inside "$2" --outside "$3" 2>&1) || status=$?
	is "status for $2 as $3" "$status" 1
	like "what is said of $2 as $3" "$output" "$1"
}

what_is_taken_or_makes_no_sense_is_refused() {
	fn --json binding list | jq -cS 'map(del(.flows)) | sort' >"$TMP/before"
	refused 'taken' 10.0.0.2:4100 203.0.113.5:5000
	# Once more: a refusal must not have freed it.
	refused 'taken' 10.0.0.2:4100 203.0.113.5:5000
	refused 'already' 10.0.0.2:4000 203.0.113.5:5100
	refused 'no such policy' 10.0.0.2:4100 203.0.113.5:5100 4711
	refused 'does not translate sources' 10.0.0.2:4100 203.0.113.5:5100 8
	refused 'does not match' 10.9.0.2:4100 203.0.113.5:5100
	refused 'not that of a host' 224.0.0.1:4100 203.0.113.5:5100
	refused 'not that of a host' 0.0.0.0:4100 203.0.113.5:5100
	refused 'no such address' 10.0.0.2:4100 198.51.100.9:5100
	refuses "a protocol without ports" fn binding add --policy 7 --proto 47 --inside 10.0.0.2:1 --outside 203.0.113.5:1
	refuses "to delete what is not there" del 203.0.113.5:5999
	like "it says" "$(del 203.0.113.5:5999 2>&1)" 'no binding'
	like "server saw" "$(ask udp "$client" 10.0.0.2:4200 192.0.2.2:53)" '^203\.0\.113\.[56]:'
	refuses "to delete one that a flow made" del "$(heard udp "$server" 53 | tr ' ' '\n' | tail -n1)"
}

nothing_changed_by_that() {
	works "flush" fn flow flush
	fn --json binding list | jq -cS 'map(del(.flows)) | sort' >"$TMP/after"
	works "sameness" cmp "$TMP/before" "$TMP/after"
}

an_expired_one_lets_nobody_in() {
	works "delete" del 203.0.113.5:5000
	add 10.0.0.2:4000 203.0.113.5:5003 --lifetime 4
	like "seconds left" "$(fn --json binding list | jq '.[] | select(."outside-port" == 5003) | .expires')" '^[1-4]$'
	is "client heard" "$(knock 203.0.113.5:5003)" "192.0.2.2:999 knock"
	comes_true "it ended" 8 ended 5003
	is "client heard" "$(silent knock 203.0.113.5:5003)" timeout
	add 10.0.0.2:4000 203.0.113.5:5003
	works "delete" del 203.0.113.5:5003
}

ended() { ! values outside-port "$(fn --json binding list)" | grep -qx "$1"; }

a_deleted_one_lets_nobody_in() {
	add 10.0.0.2:4000 203.0.113.5:5004
	is "client heard" "$(knock 203.0.113.5:5004)" "192.0.2.2:999 knock"
	works "delete" del 203.0.113.5:5004
	is "client heard" "$(silent knock 203.0.113.5:5004)" timeout
	refuses "to delete it again" del 203.0.113.5:5004
}

flows_keep_it_until_the_last() {
	add 10.0.0.2:4000 203.0.113.5:5005
	is "server saw" "$(say u 192.0.2.2:53)" 203.0.113.5:5005
	works "delete" del 203.0.113.5:5005
	is "still" "$(say u 192.0.2.2:53)" 203.0.113.5:5005
	is "another server sees" "$(say u 192.0.2.3:53)" 203.0.113.5:5005
	is "static" "$(fn --json binding list | jq -c '.[] | select(."outside-port" == 5005) | [.static, .flows]')" '[null,2]'
	works "flush" fn flow flush
	comes_true "it ended" 2 ended 5005
}

it_goes_with_its_policy() {
	at_least "bindings" "$(bindings)" 3
	works "delete" fn policy del 7
	comes_true "no binding" 2 no_bindings
	is "TCP from outside" "$(silent ask tcp "$server" - 203.0.113.5:8080)" ENETUNREACH
}

of_masquerade_it_goes_with_the_address() {
	configure policy add masquerade --out wan0 --id 7
	ip -n "$gw" addr add 198.51.100.9/24 dev wan0
	ip -n "$server" route add 198.51.100.0/24 via 192.0.2.1
	add 10.0.0.2:4000 198.51.100.9:5006
	is "client heard" "$(knock 198.51.100.9:5006)" "192.0.2.2:999 knock"
	ip -n "$gw" addr del 198.51.100.9/24 dev wan0
	comes_true "no binding" 30 no_bindings
}

# Nobody but the service, or the inside host of the dnat policy, would hear of them otherwise.
a_port_of_the_kernels_choice_is_nobody_elses() {
	local i
	unconfigure
	configure pool add own --ports 4000-4007
	configure policy add masquerade --out wan0 --pool own --id 7
	configure policy add dnat --in wan0 --proto udp --dport 4002-4005 --to 10.0.0.9
	serve udp "$gw" 192.0.2.1:4000
	for i in 1 2 3; do
		configure binding add --policy 7 --proto udp --inside "10.0.0.2:410$i" --outside 192.0.2.1 >/dev/null
	done
	is "ports" "$(values outside-port "$(fn --json binding list)" | sort | tr '\n' ' ')" "4001 4006 4007 "
	works "forwarded ports are better than none" fn binding add --policy 7 --proto udp --inside 10.0.0.2:4104 --outside 192.0.2.1
	unconfigure
}

# Else who sends to a stranger's endpoint would get to an inside host.
of_masquerade_the_address_is_one_of_its_interfaces() {
	configure policy add masquerade --out wan0 --id 7
	refused 'no interface .*gives packets this address' 10.0.0.2:80 192.0.2.2:80 7 tcp
	ip -n "$gw" addr add 192.0.2.9/24 dev wan0
	refused 'no interface .*gives packets this address' 10.0.0.2:80 192.0.2.9:80 7 tcp
	refused 'no interface .*gives packets this address' 10.0.0.2:80 10.0.0.1:80 7 tcp
	refused 'no interface .*gives packets this address' 10.0.0.2:80 127.0.0.1:80 7 tcp
	refused 'no interface .*gives packets this address' 10.0.0.2:80 0.0.0.0:80 7 tcp
	refused 'no interface .*gives packets this address' 10.0.0.2:80 255.255.255.255:80 7 tcp
	serve tcp "$server" 192.0.2.3:80
	like "who is at that address" "$(ask tcp "$client" - 192.0.2.3:80)" '^192\.0\.2\.1:'
	PROTO=tcp add 10.0.0.2:80 192.0.2.1:80
	is "at its own" "$(ask tcp "$server" 192.0.2.2:5002 192.0.2.1:80)" 192.0.2.2:5002
	configure policy add masquerade --out 'wan*' --id 9
	refused 'no interface .*gives packets this address' 10.0.0.2:81 10.0.0.1:81 9 tcp
	works "a pattern" fn binding add --policy 9 --proto tcp --inside 10.0.0.2:81 --outside 192.0.2.1:81
	configure policy add masquerade --src 10.0.0.2 --id 10
	refused 'no interface .*gives packets this address' 10.0.0.2:82 192.0.2.2:82 10 tcp
	refused 'no interface .*gives packets this address' 10.0.0.2:82 127.0.0.1:82 10 tcp
	works "any interface" fn binding add --policy 10 --proto tcp --inside 10.0.0.2:82 --outside 10.0.0.1:82
	unconfigure
}

# The ports of a pool are those that it gives by itself. A service has another: 80, say.
of_a_pool_the_port_may_be_one_that_it_does_not_give() {
	configure pool add few --range 203.0.113.5 --ports 4000-4099
	configure policy add snat --pool few --out wan0 --id 7
	refused "port 0 is nobody's" 10.0.0.2:4000 203.0.113.5:0
	refused "port 0 is nobody's" 10.0.0.2:0 203.0.113.5:4000
	add 10.0.0.2:4000 203.0.113.5:80
	is "client heard" "$(knock 203.0.113.5:80)" "192.0.2.2:999 knock"
	unconfigure
}

nothing_left_with_an_inside_address() {
	is "captured over all" "$(captured leak)" ""
}

gateway_topology
configure pool add two --range 203.0.113.5-203.0.113.6
configure policy add snat --pool two --src 10.0.0.0/24 --out wan0 --id 7
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2 --id 8
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
serve tcp "$client" 10.0.0.2:80
hold u udp "$client" 10.0.0.2:4000
hold x udp "$server" 192.0.2.2:999
capture leak "$server" eth0 'net 10.0.0.0/8'
tests_run
