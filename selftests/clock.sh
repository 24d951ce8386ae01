#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Timeouts and leases go on while the machine sleeps, and do not care about the time of day.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	setting_the_time_of_day_expires_nothing
	setting_it_back_keeps_nothing_alive
	a_flow_that_ran_out_in_its_sleep_is_gone
	one_that_did_not_is_older_and_works
	so_is_a_lease
)

RTC=/sys/class/rtc/rtc0

expires() { fn --json flow list --proto "$1" | jq '.[0].expires'; }
lease() { fn --json binding list | jq '.[] | select(.static) | .expires'; }

setting_the_time_of_day_expires_nothing() {
	configure config set --timeout-udp 100 --timeout-tcp 100
	hold long udp "$client" 10.0.0.2:4000
	port=$(say long 192.0.2.2:53)
	like "server saw" "$port" '^192\.0\.2\.1:'
	date -s "@$(($(date +%s) + 90000))" >/dev/null
	at_least "seconds left" "$(expires udp)" 90
	is "server saw" "$(say long 192.0.2.2:53)" "$port"
}

setting_it_back_keeps_nothing_alive() {
	date -s "@$(($(date +%s) - 90000))" >/dev/null
	configure policy add masquerade --out wan0 --proto icmp --timeout-icmp 1 --priority 1
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
	comes_true "the ping's flow has expired" 6 flows_are 0 --proto icmp
}

# Sleeps for 8 seconds, unless the machine cannot.
sleep_soundly() {
	[[ -e $RTC/wakealarm ]] && grep -qw mem /sys/power/state || return 1
	echo 0 >"$RTC/wakealarm"
	echo $(($(cat "$RTC/since_epoch") + 8)) >"$RTC/wakealarm"
	echo mem >/sys/power/state
}

a_flow_that_ran_out_in_its_sleep_is_gone() {
	local policy
	configure config set --timeout-tcp 7
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	say long 192.0.2.2:53 >/dev/null
	policy=$(fn --json policy list | jq '.[0].id')
	configure binding add --policy "$policy" --proto icmp --inside 10.0.0.2:7 --outside 192.0.2.1:7 --lifetime 100
	before=$(expires udp) leased=$(lease)
	sleep_soundly || { skip "this machine cannot be put to sleep"; return; }
	slept=1
	# By the wheel's next turn at the latest: its idle time has passed in the sleep.
	comes_true "the TCP flow is gone" 3 flows_are 0 --proto tcp
}

one_that_did_not_is_older_and_works() {
	[[ ${slept:-} ]] || { skip "this machine cannot be put to sleep"; return; }
	local left
	left=$(expires udp)
	((left <= before - 7)) || fail "expires in $left s, before the sleep of 8 s it was $before s"
	is "server saw" "$(say long 192.0.2.2:53)" "$port"
}

so_is_a_lease() {
	[[ ${slept:-} ]] || { skip "this machine cannot be put to sleep"; return; }
	local left
	left=$(lease)
	((left <= leased - 7)) || fail "the lease ends in $left s, before the sleep of 8 s it was $leased s"
}

port='' before='' leased='' slept=''
gateway_topology
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
