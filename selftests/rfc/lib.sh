# SPDX-License-Identifier: GPL-2.0
# Sourced by rfc.sh: what tests of requirements share. They know of no NAT but by `nat`, see fastnat.sh.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are used in, and come from, other files

OUTSIDE='^(192\.0\.2\.1|203\.0\.113\.[0-9]+):[0-9]+$'
S1=198.51.100.2 S2=198.51.100.3 S3=198.51.100.4
A=10.0.0.2 B=10.0.1.2 # the inside hosts $client and $client2
PORT=4000

# nat WHAT WORDS…: of the NAT under test.
nat() { "${DRIVER}_$1" "${@:2}"; }
can() { declare -F "${DRIVER}_$1" >/dev/null; }

# Unlike lib.sh's, this is a finding and no mistake of the NAT's, and the first is enough.
fail() {
	if [[ ! $FAILURES ]]; then
		echo "Bail out! setup: $*"
		exit 1
	fi
	FAILURES=$((FAILURES + 1))
	WHY=${WHY:-$*}
	return 1
}

# A port that no test and no NAT has seen, since sockets linger.
fresh() { PORT=$((PORT + 1)); }

# translated VARIABLE CMD…: what the server saw, which must be an outside endpoint.
translated() {
	printf -v "$1" %s "$("${@:2}")"
	like "seen outside" "${!1}" "$OUTSIDE"
}

# knows VARIABLE SOCKET PEER: the named socket of an inside host tells a named one of the server's, which says who
# it was. Nothing answers.
knows() {
	local line_heard
	agent tell "$2" "$3" hello >/dev/null
	line_heard=$(hear s)
	printf -v "$1" %s "${line_heard% hello}"
	like "seen outside" "${!1}" "$OUTSIDE"
}

# reached SOCKET FROM TO: does a datagram of the named socket FROM to TO arrive at SOCKET?
reached() {
	agent tell "$2" "$3" knock >/dev/null
	[[ $(T=${T:-1} hear "$1") == *" knock" ]]
}

no_mapping() { [[ ! $(nat left "$1") ]]; }

# Two hosts with one source port, the first where the second goes later: a NAT that keeps ports where it can has to
# give the second another one there.
in_conflict() { # PROTO: sets first, second (to $S2) and third (to $S1, of the same endpoint as second)
	fresh
	if [[ $1 == udp ]]; then
		hold a udp "$client" "$A:$PORT"
		hold b udp "$client2" "$B:$PORT"
		translated first say a "$S1:53"
		translated second say b "$S2:53"
		translated third say b "$S1:53"
	else
		hold a tcp "$client" "$A:$PORT" "$S1:80"
		hold b tcp "$client2" "$B:$PORT" "$S2:80"
		hold c tcp "$client2" "$B:$PORT" "$S1:80"
		translated first say a
		translated second say b
		translated third say c
	fi
}

query() { at "$1" python3 "$HERE/icmp_query.py" "${@:2}"; }

# error TO_OUTSIDE PROTO PEER: an unreachable of the server's about the mapping.
error() { agent icmp-error "$server" "$S1" "${1%:*}" 3 "${4:-3}" 0 "$2" "$1" "$3" 28 "${5:-0}"; }
