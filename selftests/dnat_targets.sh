#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Destination NAT to several targets: each new flow goes to one of them, by a hash of
# who asks, or at random; by weight.
#
#   client                  gw                      server (asks)
#   eth0 ---------------- lan0  wan0 ---------------- eth0
#   10.0.0.11, .12, .13          192.0.2.1        192.0.2.2, 198.18.0.0/16
#   (serve)

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	clients_are_spread_by_weight
	a_client_keeps_its_server
	a_server_that_goes_moves_its_own_clients_only
	equal_weights_spread_evenly
	at_random_a_client_comes_to_all
	a_flow_keeps_its_server
	tcp_comes_to_each_too
	ports_may_stay_or_map_one_to_one
	a_list_comes_back_as_it_was_given
	sixty_four_are_listed
	lists_are_loaded_from_a_file
	what_makes_no_sense_is_refused
)

CLIENTS=240
VIP=203.0.113.9:53
SERVERS=(5301 5302 5303)

# The three servers; a weight for each.
servers() { echo --to "10.0.0.11:5301@$1" --to "10.0.0.12:5302@$2" --to "10.0.0.13:5303@$3"; }

# lead ID WORDS…: a policy for the outside address.
lead() { configure policy add dnat --id "$1" --dst "${VIP%:*}" --proto udp --dport "${VIP#*:}" "${@:2}"; }

# everybody: each client asks once; by address its server in `server_of`, by server their number in `count_of`.
declare -A server_of=() count_of=()
everybody() {
	local port peer
	server_of=() count_of=()
	is "answers" "$(agent crowd 20 "$server" 198.18.0.1 "$CLIENTS" "$VIP")" "$CLIENTS"
	for port in "${SERVERS[@]}"; do
		count_of[$port]=0
		for peer in $(heard udp "$client" "$port"); do
			[[ $peer == nobody ]] && continue
			server_of[${peer%:*}]=$port count_of[$port]=$((count_of[$port] + 1))
		done
	done
	is "clients" "${#server_of[@]}" "$CLIENTS"
}

# between WHAT VALUE LEAST MOST
between() {
	at_least "$1" "$2" "$3"
	(($2 <= $4)) || fail "$1: got $2, want at most $4"
}

# Of 240, 30 to 60 to 150 on average; the bounds are five standard deviations away.
clients_are_spread_by_weight() {
	# shellcheck disable=SC2046 # words
	lead 1 $(servers 1 2 5)
	everybody
	between "of weight 1" "${count_of[5301]}" 5 56
	between "of weight 2" "${count_of[5302]}" 27 93
	between "of weight 5" "${count_of[5303]}" 113 187
}

declare -A before=()

a_client_keeps_its_server() {
	local client_addr
	for client_addr in "${!server_of[@]}"; do before[$client_addr]=${server_of[$client_addr]}; done
	works "flush" fn flow flush
	# Other policies come and go.
	configure policy add dnat --id 99 --dst 203.0.113.8 --to 10.0.0.11
	everybody
	for client_addr in "${!before[@]}"; do
		is "server of $client_addr" "${server_of[$client_addr]}" "${before[$client_addr]}" || return
	done
	configure policy del 99
}

a_server_that_goes_moves_its_own_clients_only() {
	local client_addr
	lead 2 --priority 1 --to 10.0.0.11:5301 --to 10.0.0.12:5302@2
	works "delete" fn policy del 1
	everybody
	is "clients of the one that went" "${count_of[5303]}" 0
	for client_addr in "${!before[@]}"; do
		[[ ${before[$client_addr]} == 5303 ]] && continue
		is "server of $client_addr" "${server_of[$client_addr]}" "${before[$client_addr]}" || return
	done
	configure policy del 2
}

equal_weights_spread_evenly() {
	local port
	# shellcheck disable=SC2046 # words
	lead 3 $(servers 1 1 1)
	everybody
	for port in "${SERVERS[@]}"; do
		between "at $port" "${count_of[$port]}" 44 117
	done
	configure policy del 3
}

# Each of 200 flows of one client: 50 to 150 on average.
at_random_a_client_comes_to_all() {
	lead 4 --balance random --to 10.0.0.11:5301 --to 10.0.0.12:5302@3
	is "answers" "$(ask_often 200)" 200
	between "of weight 1" "$(wc -w <<<"$(heard udp "$client" 5301)")" 20 80
	between "of weight 3" "$(wc -w <<<"$(heard udp "$client" 5302)")" 120 180
}

# ask_often COUNT: from as many ports of one address.
ask_often() {
	agent flood 4 often "$server" 192.0.2.2:20000 "$VIP" "$1"
	agent close-all >/dev/null
}

a_flow_keeps_its_server() {
	local number seen
	hold kept udp "$server" 192.0.2.2:6000
	is "answer" "$(say kept "$VIP")" 192.0.2.2:6000
	seen=$(flow_of 6000)
	for ((number = 0; number < 20; number++)); do
		is "answer" "$(say kept "$VIP")" 192.0.2.2:6000 || return
	done
	lead 5 --priority 1 --to 10.0.0.13:5303
	is "answer" "$(say kept "$VIP")" 192.0.2.2:6000
	is "the flow" "$(flow_of 6000)" "$seen"
	is "the server of the new policy heard" "$(heard udp "$client" 5303)" nobody
	is "a new flow" "$(ask udp "$server" 192.0.2.2:6001 "$VIP")" 192.0.2.2:6001
	is "the server of the new policy heard" "$(heard udp "$client" 5303)" 192.0.2.2:6001
	configure policy del 4 5
}

flow_of() { fn --json flow list | jq -c ".[] | select(.orig.\"src-port\" == $1) | .translated.\"dst-port\""; }

tcp_comes_to_each_too() {
	local number
	configure policy add dnat --id 6 --dst 203.0.113.9 --proto tcp --dport 80 --balance random --to 10.0.0.11:5301 --to 10.0.0.12:5302
	heard tcp "$client" 5301 >/dev/null
	for ((number = 0; number < 40; number++)); do
		like "answer" "$(ask tcp "$server" - 203.0.113.9:80)" '^192\.0\.2\.2:' || return
	done
	isnt "the first heard" "$(heard tcp "$client" 5301)" nobody
	isnt "the second heard" "$(heard tcp "$client" 5302)" nobody
	configure policy del 6
}

ports_may_stay_or_map_one_to_one() {
	configure policy add dnat --id 7 --dst 203.0.113.9 --to 10.0.0.11 --to 10.0.0.12
	is "the port stays" "$(ask udp "$server" 192.0.2.2:6100 203.0.113.9:7001)" 192.0.2.2:6100
	works "ping" at "$server" ping -qc1 -W5 203.0.113.9
	configure policy del 7
	configure policy add dnat --id 7 --dst 203.0.113.9 --proto udp --dport 8000-8001 --to 10.0.0.11:7000-7001 --to 10.0.0.12:7000-7001
	heard udp "$client" 7001 >/dev/null
	is "the second port" "$(ask udp "$server" 192.0.2.2:6101 203.0.113.9:8001)" 192.0.2.2:6101
	is "heard" "$(heard udp "$client" 7001)" 192.0.2.2:6101
	configure policy del 7
}

a_list_comes_back_as_it_was_given() {
	configure policy add dnat --id 8 --dst 203.0.113.9 --proto tcp --dport 80-81 \
		--to 10.0.0.11 --to 10.0.0.12:8080@7 --to 10.0.0.12:8080-8081@65535 --balance random
	is "listed" "$(fn --json policy list | jq -cS '.[0] | [.target, .balance, ."to-addr"]')" "$(jq -ncS '[[
		{addr: "10.0.0.11", weight: 1}, {addr: "10.0.0.12", "port-min": 8080, "port-max": 8080, weight: 7},
		{addr: "10.0.0.12", "port-min": 8080, "port-max": 8081, weight: 65535}], "random", null]')"
	like "as text" "$(fn policy list)" 'dport 80-81 +10\.0\.0\.11 10\.0\.0\.12:8080@7 10\.0\.0\.12:8080-8081@65535 random'
	configure policy del 8
	configure policy add dnat --id 8 --to 10.0.0.11 --to 10.0.0.12
	is "by default" "$(fn --json policy list | jq -r '.[0].balance')" source-hash
	configure policy del 8
	configure policy add dnat --id 8 --to 10.0.0.11
	is "one alone" "$(fn --json policy list | jq -c '.[0] | [."to-addr", has("target", "balance")]')" '["10.0.0.11",false,false]'
	configure policy del 8
}

# many COUNT: --to options for as many targets.
many() { local n; for ((n = 1; n <= $1; n++)); do printf -- '--to 10.1.0.%d:%d@%d ' "$n" "$n" "$n"; done; }

sixty_four_are_listed() {
	# shellcheck disable=SC2046 # words
	lead 9 $(many 64)
	# shellcheck disable=SC2046 # words
	lead 10 $(many 64)
	is "listed" "$(fn --json policy list | jq -c 'map([(.target | length), .target[63].weight])')" '[[64,64],[64,64]]'
	like "as text" "$(fn policy list)" '10\.1\.0\.4:4@4 and 60 more'
	configure policy del 9 10
	# shellcheck disable=SC2046 # words
	refusal "at most 64 targets.*attribute target" --proto udp $(many 65)
}

lists_are_loaded_from_a_file() {
	local line
	line="dnat --dst 203.0.113.9 --proto udp --dport 53 $(many 64)"
	for _ in {1..20}; do echo "$line"; done >"$TMP/file"
	is "printed" "$(fn policy load "$TMP/file")" "20 policies added"
	is "listed" "$(fn --json policy list | jq 'map(select(.target | length == 64)) | length')" 20
	unconfigure
	printf 'dnat --to 10.0.0.1 --to 10.0.0.2\ndnat --to 10.0.0.1 --to 10.0.0.1\n' >"$TMP/file"
	like "says" "$(fn policy load "$TMP/file" 2>&1)" "$TMP/file:2: the target is there twice.*nothing was added"
}

# refusal WORDS OPTIONS…: a dnat policy that is refused for a reason.
refusal() {
	like "refusal of ${*:2:6}" "$(fn policy add dnat "${@:2}" 2>&1)" "$1"
	is "policies" "$(fn --json policy list | jq length)" 0
}

what_makes_no_sense_is_refused() {
	refusal "there twice; a weight.*attribute target" --to 10.0.0.1 --to 10.0.0.2 --to 10.0.0.1@3
	refusal "has to be one host.*attribute target.addr" --to 10.0.0.1 --to 224.0.0.1
	refusal "ports need a protocol.*attribute target.port-min" --to 10.0.0.1 --to 10.0.0.2:80
	refusal "as many new ports.*attribute target.port-max" --proto tcp --dport 80-85 --to 10.0.0.1 --to 10.0.0.2:80-81
	refusal "is not a weight" --to 10.0.0.1@0 --to 10.0.0.2
}

gateway_topology
for last in 11 12 13; do address "$client" "10.0.0.$last/24" eth0; done
address "$server" 198.18.0.1/32 lo
route "$server" local 198.18.0.0/16 dev lo
route "$gw" 198.18.0.0/16 via 192.0.2.2
apply
for last in 1 2 3; do
	serve udp "$client" "10.0.0.1$last:530$last"
	serve tcp "$client" "10.0.0.1$last:530$last"
done
for last in 11 12; do
	serve udp "$client" "10.0.0.$last:7001"
done
tests_run
