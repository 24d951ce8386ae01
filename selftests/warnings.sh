#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is accepted and will surprise is said on standard error, what cannot work is
# refused; nothing is said about what is right. (netlink_bad.sh looks at the
# acknowledgements themselves.)
#
#   gw: lan0 and wan0, whose other ends nobody uses

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	what_is_right_is_done_without_a_word
	a_warning_is_no_failure_and_no_output
	a_policy_that_is_hidden_says_by_which
	one_that_is_not_hidden_is_not_said_to_be
	a_policy_says_which_it_hides
	a_file_says_the_line
	a_file_of_hidden_policies_says_so_in_few_lines
	loopback_targets_need_route_localnet
	protocols_that_cannot_be_translated_are_refused
	so_are_packets_to_many_hosts
	outside_hosts_are_not_to_be_translated
	options_that_do_nothing_say_so
	loopback_addresses_are_no_pool
	memory_that_is_not_there
	tracked_flows_are_not_offloaded
	rules_of_nftables_may_translate_tracked_flows_too
	none_stands_alone
)

# said CMD…: what it says on standard error; it has to be done.
said() {
	fn "$@" 2>"$TMP/err" >"$TMP/out" || fail "fastnat $*: $(cat "$TMP/err")"
	cat "$TMP/err"
}

what_is_right_is_done_without_a_word() {
	is "pool" "$(said pool add out --range 203.0.113.7)" ""
	is "masquerade" "$(said policy add masquerade --out wan0)" ""
	is "snat" "$(said policy add snat --pool out --src 10.9.0.0/16 --priority 10)" ""
	is "dnat" "$(said policy add dnat --dst 192.0.2.1 --proto tcp --dport 80 --to 10.0.0.2)" ""
	is "another port" "$(said policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2)" ""
	is "exemption" "$(said policy add no-snat --proto 47 --priority 10)" ""
	is "redirect" "$(said policy add redirect --in lan0 --proto udp --dport 53)" ""
	is "settings" "$(said config set --max-flows 64k --offload on --early-dev none)" ""
	is "settings" "$(said config set --offload off)" ""
	unconfigure
}

a_warning_is_no_failure_and_no_output() {
	configure policy add masquerade --out wan0 --id 1
	like "warning" "$(said policy add masquerade --out wan0 --id 2)" '^fastnat: warning: policy 2: '
	is "output" "$(cat "$TMP/out")" "policy 2"
	said --json policy add masquerade --out wan0 --id 3 >/dev/null
	is "JSON" "$(jq -c . "$TMP/out")" '{"id":3,"older-flows":0}'
	unconfigure
}

a_policy_that_is_hidden_says_by_which() {
	configure policy add masquerade --out wan0 --id 5
	like "the same again" "$(said policy add masquerade --out wan0 --id 6)" "policy 6: is never asked, policy 5 matches all of it before"
	like "part of it" "$(said policy add no-snat --out wan0 --src 10.0.0.0/8 --proto tcp --dport 80-83 --id 7)" "policy 7: .*policy 5 "
	like "by a pattern" "$(said policy add snat --to 203.0.113.0/24 --src 10.0.0.0/24 --out wan0 --mark 1 --id 8)" "policy 8: .*policy 5 "
	configure policy add dnat --in-group 5 --proto tcp --dport 1000-1999 --to 10.0.0.2 --id 10
	like "ports within" "$(said policy add dnat --in-group 5 --dst 192.0.2.1 --proto tcp --dport 1000-1500 --to 10.0.0.3 --id 11)" "policy 11: .*policy 10 "
	like "the last of them" "$(said policy add no-dnat --in-group 5 --proto tcp --dport 1999 --id 12)" "policy 12: .*policy 10 "
	unconfigure
}

one_that_is_not_hidden_is_not_said_to_be() {
	configure policy add masquerade --out wan0 --src 10.0.0.0/24 --id 5
	is "a larger network" "$(said policy add masquerade --out wan0 --src 10.0.0.0/23 --id 6)" ""
	is "another interface" "$(said policy add masquerade --out wan1 --src 10.0.0.0/24)" ""
	is "more interfaces" "$(said policy add masquerade --out 'wan*' --src 10.0.0.0/24)" ""
	is "a group" "$(said policy add masquerade --out-group 3 --src 10.0.0.0/24)" ""
	is "the other side" "$(said policy add no-dnat --src 10.0.0.0/24)" ""
	is "asked before" "$(said policy add no-snat --out wan0 --src 10.0.0.7 --priority 9)" ""
	configure policy add dnat --in wan0 --proto udp --dport 1000-1999 --to 10.0.0.2
	is "a port beyond" "$(said policy add dnat --in wan0 --proto udp --dport 1500-2000 --to 10.0.0.2)" ""
	is "any protocol" "$(said policy add no-dnat --in wan0)" ""
	unconfigure
}

a_policy_says_which_it_hides() {
	configure policy add masquerade --out wan0 --src 10.0.0.0/24 --id 5
	configure policy add masquerade --out wan0 --src 10.0.1.0/24 --id 6
	configure policy add masquerade --out wan1 --src 10.0.1.0/24 --id 7
	like "one" "$(said policy add no-snat --src 10.0.1.0/24 --out wan0 --priority 20 --id 8)" "policy 8: policy 6 is never asked from now on"
	like "several" "$(said policy add no-snat --priority 1 --id 9)" "policy 9: policy 8 and 3 others are never asked from now on"
	unconfigure
}

a_file_says_the_line() {
	printf '%s\n' '# mine' 'masquerade --out wan0 --id 1' '' 'masquerade --out wan1 --id 2' \
		'snat --to 203.0.113.0/24 --src 10.0.0.0/24 --out wan0 --id 3' >"$TMP/policies"
	is "said" "$(said policy load "$TMP/policies")" \
		"fastnat: warning: $TMP/policies:5: policy 3: is never asked, policy 1 matches all of it before"
	is "output" "$(cat "$TMP/out")" "3 policies added"
	unconfigure
}

a_file_of_hidden_policies_says_so_in_few_lines() {
	local number=3000
	configure policy add no-snat --id 9999
	for ((number = 1; number <= 3000; number++)); do
		echo "masquerade --src 10.1.$((number / 250)).$((number % 250)) --priority 2000"
	done >"$TMP/policies"
	said policy load "$TMP/policies" >"$TMP/said"
	is "output" "$(cat "$TMP/out")" "3000 policies added"
	is "lines" "$(wc -l <"$TMP/said")" 17
	is "lines about a policy" "$(grep -c 'is never asked, policy 9999 matches' "$TMP/said")" 16
	# It takes no file to delete them all.
	fn policy list --json | jq -r '.[].id' | xargs "$FASTNAT" --netns "$gw" policy del
}

loopback_targets_need_route_localnet() {
	like "off" "$(said policy add dnat --in wan0 --proto tcp --dport 80 --to 127.0.0.1 --id 1)" \
		'policy 1: all is dropped unless net.ipv4.conf.wan0.route_localnet is 1'
	like "of several" "$(said policy add dnat --in wan0 --proto tcp --dport 81 --to 10.0.0.2 --to 127.0.0.1 --id 2)" \
		'policy 2: .*conf.wan0.route_localnet'
	like "whichever" "$(said policy add dnat --proto tcp --dport 82 --to 127.0.0.9:80)" 'conf.(lan0|wan0).route_localnet'
	like "to be" "$(said policy add dnat --in ppp9 --proto tcp --dport 83 --to 127.0.0.1)" 'conf.ppp9.route_localnet'
	at "$gw" sysctl -qw net.ipv4.conf.wan0.route_localnet=1
	is "on" "$(said policy add dnat --in wan0 --proto tcp --dport 84 --to 127.0.0.1)" ""
	like "on there only" "$(said policy add dnat --proto tcp --dport 85 --to 127.0.0.1)" 'conf.lan0.route_localnet'
	at "$gw" sysctl -qw net.ipv4.conf.all.route_localnet=1
	is "on everywhere" "$(said policy add dnat --proto tcp --dport 86 --to 127.0.0.1)" ""
	at "$gw" sysctl -qw net.ipv4.conf.all.route_localnet=0
	unconfigure
}

protocols_that_cannot_be_translated_are_refused() {
	local action
	configure pool add out --range 203.0.113.7
	for action in "dnat --to 10.0.0.2" "snat --pool out --src 10.0.0.0/8" "masquerade --out wan0" "redirect --in lan0"; do
		# shellcheck disable=SC2086 # words
		refuses "${action%% *}" fn policy add $action --proto 47
		# shellcheck disable=SC2086 # words
		like "says" "$(fn policy add $action --proto 132 2>&1)" 'cannot be translated.*\(attribute proto\)'
	done
	works "left alone" fn policy add no-dnat --proto 47
	works "left alone" fn policy add no-snat --proto 50
	is "policies" "$(fn --json policy list | jq length)" 2
	unconfigure
}

so_are_packets_to_many_hosts() {
	refuses "multicast" fn policy add masquerade --dst 239.0.0.0/8 --out wan0
	refuses "broadcast" fn policy add dnat --dst 255.255.255.255 --to 10.0.0.2
	works "an exemption, which says nothing new" fn policy add no-snat --dst 224.0.0.0/4
	works "not these alone" fn policy add masquerade --dst 224.0.0.0/3 --out wan0
	unconfigure
}

outside_hosts_are_not_to_be_translated() {
	configure pool add out --range 203.0.113.7
	like "pool" "$(said policy add snat --pool out --id 1 --proto udp)" 'policy 1: without src or out, strangers are translated too, but no hairpins'
	like "masquerade" "$(said policy add masquerade --id 2 --proto tcp)" 'policy 2: without src or out, strangers are translated too, but no hairpins'
	unconfigure
}

options_that_do_nothing_say_so() {
	configure pool add wide --range 203.0.113.7
	like "timeout" "$(said policy add masquerade --out a --proto udp --timeout-tcp 1h)" 'timeout-tcp does nothing for this protocol'
	like "FIN" "$(said policy add masquerade --out b --proto udp --tcp-fin)" 'tcp-fin does nothing for this protocol'
	is "for all" "$(said policy add masquerade --out c --tcp-fin --timeout-udp 30)" ""
	like "offload" "$(said policy add masquerade --out d --offload off --offload-after 9)" 'offload-after does nothing'
	like "mark" "$(said policy add masquerade --out e --mark 0/0)" 'any mark'
	like "weight" "$(said policy add dnat --in a --to 10.0.0.2@5)" 'one target'
	like "addresses" "$(said policy add masquerade --out f --pool wide)" 'not its addresses'
	like "loopback" "$(said policy add dnat --in lo --to 10.0.0.2 --id 77)" 'policy 77: no policy is asked about packets of lo'
	unconfigure
}

loopback_addresses_are_no_pool() {
	refuses "pool" fn pool add own --range 127.0.0.1
	refuses "part of it" fn pool add own --range 126.255.255.254-127.0.0.1
	refuses "network" fn policy add snat --src 10.0.0.0/24 --to 127.0.0.0/24
}

memory_that_is_not_there() {
	local memory
	memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) >> 10))
	like "too many" "$(said config set --max-flows 3G)" 'full tables would take [0-9]+ MiB, this machine has [0-9]+ MiB'
	at_least "MiB" "$(sed 's/.*take \([0-9]*\) MiB.*/\1/' "$TMP/err")" "$memory"
	is "set nevertheless" "$(fn --json config show | jq '."max-flows"')" $((3 << 30))
	is "something else" "$(said config set --timeout-udp 1m)" ""
	is "few" "$(said config set --max-flows 64k)" ""
}

tracked_flows_are_not_offloaded() {
	like "both at once" "$(said config set --conntrack tracked --offload on)" 'nothing is offloaded while conntrack is tracked'
	is "others" "$(said config set --timeout-udp 1m)" ""
	like "a policy" "$(said policy add masquerade --out wan0 --offload on --id 4)" 'policy 4: nothing is offloaded'
	configure config set --conntrack untracked --offload off
	like "with the policy" "$(said config set --conntrack tracked)" 'nothing is offloaded'
	is "untracked" "$(said config set --conntrack untracked --offload on)" ""
	configure config set --offload off
	unconfigure
}

rules_of_nftables_may_translate_tracked_flows_too() {
	at "$gw" nft list ruleset >/dev/null 2>&1 || { skip "no nftables"; return; }
	configure policy add masquerade --out wan0
	is "no rules" "$(said config set --conntrack tracked)" ""
	works "nft" at "$gw" nft -f - <<-'END'
		table ip nat {
			chain post { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
		}
	END
	like "setting" "$(said config set --conntrack tracked)" 'nft or iptables translate here, too'
	like "policy" "$(said policy add masquerade --out lan0)" 'nft or iptables translate here, too'
	is "untracked" "$(said config set --conntrack untracked)" ""
	works "nft" at "$gw" nft delete table ip nat
	is "no rules" "$(said config set --conntrack tracked)" ""
	unconfigure
}

none_stands_alone() {
	local option status
	for option in offload-exempt-dev early-dev; do
		status=0
		fn config set "--$option" none lan0 2>"$TMP/err" || status=$?
		is "status" "$status" 2
		like "says" "$(cat "$TMP/err")" "--$option.* none stands alone"
		refuses "the other way" fn config set "--$option" lan0 "--$option" none
	done
}

start_agent
setup_ns gw client
cable "$gw" lan0 10.0.0.1/24 "$client" eth0 10.0.0.2/24
cable "$gw" wan0 192.0.2.1/24 "$client" eth1 192.0.2.2/24
apply
tests_run
