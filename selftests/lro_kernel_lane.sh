# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Runs subtests of the kernel's test of GRO between two devices of this namespace, for lro_kernel.sh. Prints
# what went wrong.
#
#   bash lro_kernel_lane.sh PROGRAM NUMBER PROTOCOL [SUBTEST [SIZES]]…
#
# From ethNUMBER to lanNUMBER. SIZES are the bytes of payload of the packets that are to be received, in the
# place of what the program wants; "-" leaves it to that.

SLOW=${FASTNAT_SLOW:-1}
ATTEMPTS=6
PROGRAM=$1 NUMBER=$2 PROTOCOL=$3
shift 3

ARGS=("--$PROTOCOL" --smac "02:00:00:00:01:0$NUMBER" --dmac "02:00:00:00:02:0$NUMBER")
case $PROTOCOL in
*6) ARGS+=(--saddr 2001:db8::2 --daddr 2001:db8::1) ;;
*) ARGS+=(--saddr 192.0.2.2 --daddr 192.0.2.1) ;;
esac

# One attempt: how the receiver ended in STATUS, the sizes that it got in RECEIVED.
attempt() { # SUBTEST
	local line rx
	STATUS=none RECEIVED=''
	exec {rx}< <("$PROGRAM" "${ARGS[@]}" --test "$1" --verbose --rx --iface "lan$NUMBER" 2>&1; echo "status $?")
	while IFS= read -rt $((10 * SLOW)) -u "$rx" line; do
		case $line in
		*ready) "$PROGRAM" "${ARGS[@]}" --test "$1" --iface "eth$NUMBER" ;;
		*"Received {"*) sizes "${line#*Received \{}" ;;
		status*) STATUS=${line#status } ;;
		esac
	done
	exec {rx}<&-
}

# Of "200 [!=300]100 [!=200]}, Total 2 packets." the sizes.
sizes() {
	local rest=${1%%\}*}
	while [[ $rest =~ ^([^[]*)\[[^]]*\](.*)$ ]]; do rest=${BASH_REMATCH[1]}${BASH_REMATCH[2]}; done
	RECEIVED=${rest% }
}

# As in the kernel's gro.py there is more than one attempt, but not if too much was merged.
subtest() { # SUBTEST SIZES
	local attempts=0
	while ((attempts++ < ATTEMPTS)); do
		attempt "$1"
		if [[ $2 != - ]]; then
			[[ $RECEIVED != "$2" ]] || return
		elif [[ $STATUS == 0 ]]; then
			return
		elif [[ $STATUS == 42 ]]; then
			break
		fi
	done
	echo "$PROTOCOL $1: got packets of ${RECEIVED:-nothing}, want ${2/#-/others}, exit $STATUS"
}

while (($#)); do
	subtest "$1" "$2"
	shift 2
done
