# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests of uplinks that are no Ethernet: what passes by one of them, both ways.
# shellcheck shell=bash

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/fastpath_lib.sh"

# carries LOCAL REMOTE: of an uplink to the server; LOCAL is the gateway's address, REMOTE the server's.
carries() {
	local local_=${1//./\\.}
	like "UDP" "$(ask udp "$client" - "$2:53")" "^$local_:"
	like "TCP" "$(ask tcp "$client" - "$2:80" 5000)" "^$local_:"
	works "ping" at "$client" ping -qc2 -i0.2 -W5 "$2"
	like "fragments" "$(ask udp "$client" - "$2:53" 6000)" "^$local_:"
	is "an error" "$(ask udp "$client" - "$2:9999")" refused
	is "the gateway's own UDP" "$(ask udp "$gw" "$1:5000" "$2:53")" "$1:5000"
	is "the gateway's own TCP" "$(ask tcp "$gw" "$1:5000" "$2:80")" "$1:5000"
	works "the gateway's own ping" at "$gw" ping -qc1 -W5 "$2"
	is "the gateway's service" "$(ask tcp "$server" "$2:5001" "$1:22")" "$2:5001"
	is "a forwarded port, TCP" "$(ask tcp "$server" "$2:5002" "$1:80")" "$2:5002"
	is "a forwarded port, UDP" "$(ask udp "$server" "$2:5002" "$1:53")" "$2:5002"
	like "hairpin" "$(ask tcp "$client" - "$1:80")" "^$local_:"
	is "a transfer out" "$(transfer "$client" "$server" "$2" 81 1)" intact
	is "a transfer in" "$(transfer "$server" "$client" "$1" 81 1)" intact
	is "drops for want of an address" "$(counter drop-address)" 0
}

# uplink PATTERN LOCAL: policies for an uplink with this address.
uplink() {
	configure policy add masquerade --out "$1"
	configure policy add dnat --dst "$2" --proto tcp --dport 80-81 --to 10.0.0.2
	configure policy add dnat --dst "$2" --proto udp --dport 53 --to 10.0.0.2
}

services() {
	serve udp "$server" 0.0.0.0:53
	serve tcp "$server" 0.0.0.0:80
	serve udp "$client" 0.0.0.0:53
	serve tcp "$client" 0.0.0.0:80
	serve tcp "$gw" 0.0.0.0:22
}

has_address() { [[ $(ip -n "$1" -4 -o addr show dev "$2" 2>/dev/null) == *" $3"* ]]; }
