# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests of aggregation: links whose receiver does GRO.
# shellcheck shell=bash

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# gro_link NS IF PEER_NS PEER_IF: NS receives on IF with GRO, what its peer has cut already.
gro_link() {
	at "$1" ethtool -K "$2" gro on || fail "ethtool -K $2 gro on"
	at "$3" ethtool -K "$4" tso off >/dev/null || fail "ethtool -K $4 tso off"
}

# hold_for NS IF MS: after a poll the receiver sleeps for MS milliseconds, and what GRO holds waits for the
# next poll, which gets all that has come meanwhile. So a burst is in one poll, however slow its sender is.
hold_for() {
	# The files are those of the namespace only where it has mounted /sys itself.
	ip netns exec "$1" sh -c "echo $(($3 * 1000000)) >/sys/class/net/$2/gro_flush_timeout &&
		echo 1 >/sys/class/net/$2/napi_defer_hard_irqs" || fail "gro_flush_timeout of $2"
}
