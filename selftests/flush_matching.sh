#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Flows that are older than a policy which would have decided about them: they go on
# as before, policy add says how many, and ends them if it is told to. Others it leaves alone.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	an_exemption_comes_too_late_for_what_lives
	with_the_option_it_ends_them
	another_pool_takes_over
	what_a_policy_asked_before_decides_is_not_counted
	nor_what_leaves_by_another_interface
	dnat_takes_over_what_goes_out
	dnat_for_what_comes_in_leaves_the_rest_alone
	a_source_policy_takes_over_what_dnat_let_in
	a_hairpin_is_looked_at_as_it_came
	a_file_ends_them_too
	tcp_goes_on_where_nothing_matches
)

# warned WORDS…: what policy add says on standard error.
warned() { { fn policy add "$@" >"$TMP/out" || fail "fastnat policy add $*" >&2; } 2>&1; }
older() { fn --json policy add "$@" 2>/dev/null | jq '."older-flows"'; }

from() { is "$1" "$(say "$2" "$3")" "$4"; }

begin() {
	unconfigure
	configure pool add one --range 203.0.113.1 --allocation preserve
	configure pool add two --range 203.0.113.2 --allocation preserve
}

an_exemption_comes_too_late_for_what_lives() {
	begin
	configure policy add snat --pool one --src 10.0.0.0/24 --out wan0 --id 50
	hold a udp "$client" 10.0.0.2:4000
	hold b udp "$client" 10.0.0.2:4001
	from "translated" a 192.0.2.2:53 203.0.113.1:4000
	from "translated" b 192.0.2.3:53 203.0.113.1:4001
	like "one of two" "$(warned no-snat --dst 192.0.2.2 --priority 10 --id 51)" \
		'^fastnat: warning: 1 older flow of other policies goes on as before; .*--flush-matching'
	is "output" "$(cat "$TMP/out")" "policy 51"
	from "the same" a 192.0.2.2:53 203.0.113.1:4000
	is "as JSON, both" "$(fn --json policy add no-snat --dst 192.0.2.0/24 --priority 20 --id 52 2>/dev/null | jq -c .)" '{"id":52,"older-flows":1}'
}

with_the_option_it_ends_them() {
	fn policy del 51 52
	route "$server" 10.0.0.0/24 via 192.0.2.1
	apply
	fn policy add no-snat --dst 192.0.2.2 --priority 10 --flush-matching >"$TMP/out" 2>"$TMP/err"
	is "what it says" "$(tail -n1 "$TMP/out")" "1 flow removed"
	is "no warning" "$(cat "$TMP/err")" ""
	from "left alone now" a 192.0.2.2:53 10.0.0.2:4000
	from "the other" b 192.0.2.3:53 203.0.113.1:4001
	is "flows" "$(flows)" 1
	ip -n "$server" route del 10.0.0.0/24
}

another_pool_takes_over() {
	begin
	configure policy add snat --pool one --src 10.0.0.0/24 --out wan0
	hold c udp "$client" 10.0.0.2:4010
	hold d udp "$client" 10.0.0.2:4011
	from "by the first" c 192.0.2.2:53 203.0.113.1:4010
	from "by the first" d 192.0.2.2:53 203.0.113.1:4011
	is "what ports tell apart" "$(older snat --pool two --src 10.0.0.0/24 --proto udp --sport 4011 --priority 9 --id 60)" 1
	from "as before" d 192.0.2.2:53 203.0.113.1:4011
	configure policy del 60
	configure policy add snat --pool two --src 10.0.0.0/24 --proto udp --sport 4011 --priority 9 --flush-matching
	from "by the second" d 192.0.2.2:53 203.0.113.2:4011
	from "by the first" c 192.0.2.2:53 203.0.113.1:4010
}

what_a_policy_asked_before_decides_is_not_counted() {
	is "by its own" "$(older masquerade --out wan0)" 0
	is "another protocol" "$(older no-snat --proto tcp --priority 3)" 0
	configure policy add no-snat --src 10.0.0.2 --proto udp --sport 4000-4100 --priority 2
	is "by a third" "$(older no-snat --src 10.0.0.2 --priority 4)" 0
	is "flows" "$(flows)" 2
}

nor_what_leaves_by_another_interface() {
	begin
	configure policy add masquerade --out wan0
	hold e udp "$client" 10.0.0.2:4020
	like "masqueraded" "$(say e 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "another" "$(older no-snat --out wan1 --priority 3)" 0
	is "another pattern" "$(older no-snat --out 'ppp*' --priority 3)" 0
	is "the same" "$(older no-snat --out 'wan*' --priority 3)" 1
	is "not asked before" "$(older no-snat --out wan0)" 0
}

dnat_takes_over_what_goes_out() {
	begin
	configure policy add masquerade --out wan0
	hold f udp "$client" 10.0.0.2:4030
	like "the first server" "$(say f 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "by destination" "$(older dnat --in lan0 --proto udp --dport 53 --dst 192.0.2.2 --to 192.0.2.3 --id 70)" 1
	configure policy del 70
	configure policy add dnat --in lan0 --proto udp --dport 53 --dst 192.0.2.2 --to 192.0.2.4 --flush-matching
	# say() checks who answers, too.
	like "by way of the other" "$(say f 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "it leads there" "$(fn --json flow list | jq '[.[] | select(.translated."dst-addr" == "192.0.2.4" and .orig."dst-addr" == "192.0.2.2")] | length')" 1
}

dnat_for_what_comes_in_leaves_the_rest_alone() {
	begin
	configure policy add masquerade --out wan0
	hold g udp "$client" 10.0.0.2:4040
	like "before" "$(say g 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "a published port" "$(older dnat --in wan0 --proto udp --dport 53 --to 10.0.0.2)" 0
}

a_source_policy_takes_over_what_dnat_let_in() {
	begin
	serve udp "$client" 10.0.0.2:6000
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 6000 --to 10.0.0.2
	hold h udp "$server" 192.0.2.2:4050
	is "who asks" "$(say h 192.0.2.1:6000; heard udp "$client" 6000)" "192.0.2.2:4050
192.0.2.2:4050"
	is "its source is not translated any more" "$(older masquerade --out lan0 --dst 10.0.0.2 --id 80)" 1
	configure policy del 80
	configure policy add masquerade --out lan0 --dst 10.0.0.2 --flush-matching
	like "who asks" "$(say h 192.0.2.1:6000)" '^10\.0\.0\.1:'
}

a_hairpin_is_looked_at_as_it_came() {
	begin
	serve udp "$client" 10.0.0.2:6001
	configure policy add masquerade --out wan0 --src 10.0.0.0/24
	configure policy add snat --pool one --out lan0 --src 10.0.0.0/24
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 6001 --to 10.0.0.2
	hold i udp "$client" 10.0.0.2:4060
	like "by way of the gateway" "$(say i 192.0.2.1:6001)" '^203\.0\.113\.1:|^192\.0\.2\.1:'
	at_least "flows" "$(flows)" 2
	is "as nobody sent it" "$(older no-dnat --dst 10.0.0.2 --priority 4)" 0
	is "as it was sent" "$(older no-dnat --dst 192.0.2.1 --priority 3)" 1
}

a_file_ends_them_too() {
	begin
	configure policy add masquerade --out wan0
	hold j udp "$client" 10.0.0.2:4070
	hold k udp "$client" 10.0.0.2:4071
	say j 192.0.2.2:53 >/dev/null
	say k 192.0.2.3:53 >/dev/null
	printf 'no-snat --dst 192.0.2.%d --priority 5\n' 2 5 6 7 >"$TMP/policies"
	like "says" "$(fn policy load "$TMP/policies" 2>&1 >/dev/null)" '^fastnat: warning: 1 older flow of other policies goes on'
	printf 'snat --pool two --dst 192.0.2.%d --src 10.0.0.0/24 --priority 4\n' 2 3 4 >"$TMP/policies"
	is "ends" "$(fn policy load "$TMP/policies" --flush-matching)" "3 policies added
2 flows removed"
	is "by the new one" "$(say k 192.0.2.3:53)" 203.0.113.2:4071
}

tcp_goes_on_where_nothing_matches() {
	begin
	configure policy add snat --pool one --src 10.0.0.0/24
	hold l tcp "$client" 10.0.0.2:4080 192.0.2.2:80
	is "before" "$(say l)" 203.0.113.1:4080
	configure policy add snat --pool two --src 10.0.0.0/24 --dst 192.0.2.3 --priority 5 --flush-matching
	is "after" "$(say l)" 203.0.113.1:4080
	is "new ones" "$(ask tcp "$client" 10.0.0.2:4081 192.0.2.3:80)" 203.0.113.2:4081
}

gateway_topology
for address in 192.0.2.{2..4}; do
	serve udp "$server" "$address:53"
done
serve tcp "$server" 0.0.0.0:80
tests_run
