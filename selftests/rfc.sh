#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Requirements of RFC 4787, 5382, 5508, 6888, 7857 and 7422 on a NAT: which does fastnat meet, and which
# connection tracking's? The tests, rfc/rfc*.sh, know no NAT; the drivers, rfc/fastnat.sh and rfc/nft.sh,
# know one. Passes if all is as stored in rfc/results, met or not met.
#
#   rfc.sh [--all] [REQUIREMENT…]    such as rfc4787_1; none: all
#
# "random" and "persistent" of connection tracking's NAT are tested only by --all, as is what is stored
# (rfc/page.py).
#
#   client ------------ inner ------------ gw ------------ outer ------------ server
#   10.0.0.2   10.0.0.1  10.0.9.2  10.0.9.1  192.0.2.1  .254  198.51.100.1   198.51.100.2, .3, .4
#   client2                                |
#   10.0.1.2 ---------------------- 10.0.1.1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/rfc/lib.sh
. "$HERE/rfc/lib.sh"
for file in "$HERE"/rfc/{fastnat,nft,rfc[0-9]*}.sh; do
	# shellcheck disable=SC1090 # those of the folder
	. "$file"
done

CONNTRACK=("nft masquerade" "nft masquerade random" "nft masquerade persistent")

# requirements NAT: function, number and text of what is tested with it.
requirements() {
	local id number text
	while IFS=$'\t' read -r id number text _; do
		declare -F "$id" >/dev/null || continue
		[[ ! ${SELECTED[*]} || " ${SELECTED[*]} " == *" $id "* ]] || continue
		[[ $ALL || $1 != "${CONNTRACK[0]} "* ]] || continue
		printf '%s\t%s\t%s\n' "$id" "$number" "$text"
	done <"$HERE/rfc/requirements"
}

stored() { awk -F'\t' -v nat="$1" -v id="$2" '$1 == nat && $2 == id { print $3 }' "$HERE/rfc/results"; }

# try ID OPTION…: is it met?
try() {
	FAILURES='' WHY=''
	nat up "${@:2}"
	FAILURES=0
	"$1"
	((FAILURES)) || WHY=''
	FAILURES=''
	agent close-all >/dev/null
	nat down
	[[ ! $WHY ]]
}

# Sets verdict.
judge() {
	local options
	verdict=met
	if try "$1"; then return; fi
	verdict="not met"
	options=$(nat options "$1")
	# shellcheck disable=SC2086 # words
	if [[ $options ]] && try "$1" $options; then verdict="met with $options"; fi
}

run_nat() {
	local nat=$1 id number text before verdict result
	# shellcheck disable=SC2034 # nft.sh uses it
	DRIVER=${nat%% *} NFT_FLAGS=${nat#nft masquerade}
	while IFS=$'\t' read -ru3 id number text; do
		judge "$id"
		before=$(stored "$nat" "$id")
		result="ok $nat: $verdict: $number: $text"
		[[ $verdict == "$before" ]] || result="# stored is: ${before:-nothing}"$'\n'"not $result"
		[[ ! $WHY ]] || result="# $WHY"$'\n'$result
		# At once, since several write.
		printf '%s\n# result\t%s\t%s\t%s\n' "$result" "$nat" "$id" "$verdict"
	done 3< <(requirements "$nat")
}

# With a topology of their own, so that several can be at it at once.
run_nats() {
	local nat addr i
	routed_topology
	second_client
	for i in 3 {16..31}; do
		address "$client" "10.0.0.$i/24" eth0
	done
	address "$server" "$S2/24" eth0
	address "$server" "$S3/24" eth0
	apply
	for addr in "$S1" "$S2" "$S3"; do
		serve udp "$server" "$addr:53"
		serve tcp "$server" "$addr:80"
	done
	serve udp "$server" "$S1:54"
	for nat; do
		run_nat "$nat"
	done
}

# Numbers what comes in, and fails if something failed.
report() {
	local line test=0 failed=0
	while IFS= read -r line; do
		case $line in
		"ok "*) line="ok $((++test)) ${line#ok }" ;;
		"not ok "*) line="not ok $((++test)) ${line#not ok }" failed=1 ;;
		esac
		printf '%s\n' "$line"
	done
	return "$failed"
}

plan() {
	local nat
	for nat in fastnat "${CONNTRACK[@]}"; do
		requirements "$nat"
	done | wc -l
}

# child NAT…: tests these, in a process and namespaces of its own.
child() {
	local nat words=()
	for nat; do
		words+=(--only "$nat")
	done
	"$0" ${ALL:+--all} "${words[@]}" "${SELECTED[@]}"
}

# The size of connection tracking's table is one for all, so with --all one process has all of them.
children() {
	child fastnat &
	if [[ $ALL ]]; then
		child "${CONNTRACK[@]}" &
	else
		child "${CONNTRACK[0]}" &
	fi
	wait
}

ALL='' ONLY=()
while [[ ${1:-} == --* ]]; do
	case $1 in
	--all) ALL=yes ;;
	--only) ONLY+=("$2"); shift ;;
	*) echo "unknown option $1" >&2; exit 2 ;;
	esac
	shift
done
SELECTED=("$@")
if ((${#ONLY[@]})); then
	run_nats "${ONLY[@]}"
	exit
fi
nft list ruleset >/dev/null 2>&1 || skip_all "no nftables"
load_module
modprobe nf_conntrack 2>/dev/null
echo "KTAP version 1"
echo "1..$(plan)"
children | report
exit
