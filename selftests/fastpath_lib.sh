# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests of offload: which packets went past the stack, and which through it. What has
# taken the whole stack was seen by a counter in the gateway's FORWARD chain.
# shellcheck shell=bash

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What FORWARD saw, and what was offloaded, between the last two calls of observe.
SEEN=0 OFFLOADED=0
OFFLOADED_EVER=0

watch() {
	at "$gw" nft -f - <<-END
		table ip watch {
			counter seen { }
			counter edges { }
			chain forward {
				type filter hook forward priority 0
				meta l4proto { tcp, udp } counter name seen
				tcp flags & (syn | fin | rst) != 0 counter name edges
			}
		}
	END
}

# seen_since COUNTER: since the last time somebody asked.
seen_since() {
	local answer
	answer=$(at "$gw" nft reset counter ip watch "$1")
	[[ $answer =~ packets\ ([0-9]+) ]]
	echo "${BASH_REMATCH[1]:--1}"
}

observe() {
	local now
	SEEN=$(seen_since seen)
	now=$(counter offloaded)
	OFFLOADED=$((now - OFFLOADED_EVER))
	OFFLOADED_EVER=$now
}

burst() { agent burst "${T:-4}" "$@"; }

# warm NAME…: as many exchanges on open sockets as it takes for their packets to go past the stack.
warm() {
	local name
	for name; do
		is "answered while $name learns" "$(burst "$name" 6)" 6
	done
}

# The gateway knows of all its links that they are up: it notices up to a second after it, and forgets its
# routes then. Tunnels never say more than that they do not know.
links_are_up() {
	! ip -n "$gw" -d -o link show up | grep -Ev 'LOOPBACK| (gre|vxlan) ' | grep -qv 'state UP'
}

# past NAME [COUNT [SIZE]]: exchanges on an open socket; all packets of both directions go past the stack.
# Twice, if something is offloaded, but not all: a link of which the kernel learns only now that it is up
# makes it forget its routes.
past() {
	local count=${2:-4}
	for _ in 1 2; do
		observe
		is "answered on $1" "$(burst "$1" "$count" "${@:3}")" "$count"
		observe
		((SEEN && OFFLOADED)) || break
	done
	is "packets of $1 that FORWARD saw" "$SEEN" 0
	at_least "packets of $1 offloaded" "$OFFLOADED" $((2 * count))
}

# through NAME [COUNT [SIZE]]: the same; none of the packets goes past the stack.
through() {
	local count=${2:-4}
	observe
	is "answered on $1" "$(burst "$1" "$count" "${@:3}")" "$count"
	observe
	is "packets of $1 offloaded" "$OFFLOADED" 0
	at_least "packets of $1 that FORWARD saw" "$SEEN" $((2 * count))
}

# half_past NAME [COUNT [SIZE]]: only those of one direction go past it.
half_past() {
	local count=${2:-4}
	observe
	is "answered on $1" "$(burst "$1" "$count" "${@:3}")" "$count"
	observe
	at_least "packets of $1 offloaded" "$OFFLOADED" "$count"
	at_least "packets of $1 that FORWARD saw" "$SEEN" "$count"
}

# answers NAME: one exchange is answered.
answers() { [[ $(silent burst "$1" 1) == 1 ]]; }

# unanswered WHAT NAME [SIZE]: nothing comes back.
unanswered() { is "$1" "$(silent burst "$2" 1 "${@:3}")" 0; }

# transfer_past WHAT FROM TO ADDR: all but the first and last packets go past the stack.
transfer_past() {
	observe
	is "$1" "$(transfer "$2" "$3" "$4" 81 1)" intact
	observe
	at_least "$1: packets offloaded" "$OFFLOADED" 20
	((SEEN <= 24)) || fail "$1: FORWARD saw $SEEN packets"
}

# Packets and large transfers, both ways.
offloaded_whole() {
	warm u t
	past u
	past t
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
}

# The end of sockets u and t and of all namespaces: the agent's sockets keep a namespace alive, and with it
# what is in it.
finish() {
	agent close u >/dev/null
	agent close t >/dev/null
	printf 'netns del %s\n' "${NAMESPACES[@]}" | ip -batch -
	gw=
	NAMESPACES=()
}

# The gateway of gateway_topology, told to offload; servers on port 53 (UDP) and 80 (TCP) of the
# server, and the client's own by dnat on the same ports of 192.0.2.1. Sockets u and t of the client.
offloading_gateway() {
	gateway_topology
	offloading wan0
	endpoints
}

# offloading IF: masquerade on IF, offload on.
offloading() {
	watch || fail "nft"
	configure policy add masquerade --out "$1"
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 80-81 --to 10.0.0.2
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 53 --to 10.0.0.2
	configure config set --offload on
}

endpoints() {
	serve udp "$server" 0.0.0.0:53
	serve tcp "$server" 0.0.0.0:80
	serve udp "$client" 0.0.0.0:53
	serve tcp "$client" 0.0.0.0:80
	dial
}

dial() {
	hold u udp "$client" 10.0.0.2:4000 192.0.2.2:53
	hold t tcp "$client" 10.0.0.2:4001 192.0.2.2:80
}

# nothing_lost NAME: ends a stream that `agent stream` began.
nothing_lost() {
	local sent answered
	read -r sent answered <<<"$(agent streamed "$1")"
	at_least "exchanges of the stream" "$sent" 3
	is "answers to the stream" "$answered" "$sent"
}
