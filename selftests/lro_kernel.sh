#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own test of GRO, unchanged (tools/testing/selftests/net/lib/gro.c; selftests/vm/run brings it
# along), with the module loaded. In modes off and strict it must not notice it; in mode lro it must get
# exactly what it wants but where a rule of ours says otherwise, and there exactly what the rule says.
#
#   eth0 ---------------- lan0     Four pairs in one namespace, so that tests can wait at the same time.
#
# The tests and their order are those of drivers/net/gro.py. PPPoE is left out: these kernels have none.

# shellcheck source=selftests/lro_lib.sh
. "$(dirname "$0")/lro_lib.sh"

GRO=$HERE/../kselftest/gro
[[ -x $GRO ]] || skip_all "no program of the kernel's selftests: $GRO"

MODES=(off strict lro)
PROTOCOLS=(ipv4 ipv6 ipip ip6ip6)
LANES=4
HOLD=20 # ms; twice that must be less than the 100 of data_burst

COMMON=(data_same data_lrg_sml data_sml_lrg data_lrg_1byte data_burst ack
	flags_psh flags_syn flags_rst flags_urg flags_cwr tcp_csum tcp_seq tcp_ts tcp_opt ip_ecn ip_tos large_max large_rem)
IPV4=(ip_csum ip_ttl ip_opt ip_frag4 ip_id_df1_inc ip_id_df1_fixed ip_id_df0_inc ip_id_df0_fixed ip_id_df1_inc_fixed ip_id_df1_fixed_inc)
IPV6=(ip_frag6 ip_v6ext_same ip_v6ext_diff)

declare -A SUBTESTS=(
	[ipv4]="${COMMON[*]} ${IPV4[*]}"
	[ipv6]="${COMMON[*]} ${IPV6[*]}"
	[ipip]="${COMMON[*]} ${IPV4[*]}"
	[ip6ip6]="${COMMON[*]}"
)

# Bytes of payload of the packets that mode lro makes of what is sent. Not in tunnels, which it leaves alone.
declare -A INSTEAD=(
	# PSH passes alone: stock GRO merges it and ends there.
	[ipv4/flags_psh]="200 100 200" [ipv6/flags_psh]="200 100 200"
	# CWR passes alone: stock GRO merges what alike has it.
	[ipv4/flags_cwr]="100 100 100 200" [ipv6/flags_cwr]="100 100 100 200"
	# A timestamp that goes forward is no reason to stop; the option in other places is.
	[ipv4/tcp_ts]="300 100 100" [ipv6/tcp_ts]="300 100 100"
	# An aggregate ends when there is no room for a whole MTU, also if the next segment were shorter.
	[ipv4/large_max]="64896 599 599" [ipv6/large_max]="64576 899 899"
	# Extension headers pass alone.
	[ipv6/ip_v6ext_same]="100 100"
)

all_subtests() { # MODE PROTOCOL
	local number fault names jobs=()
	configure lro set mode "$1" limit 64
	for ((number = 0; number < LANES; number++)); do
		lane_of "$1" "$2" "$number"
		at "$gw" bash "$HERE/lro_kernel_lane.sh" "$GRO" "$number" "$2" "${names[@]}" >"$TMP/lane$number" 2>&1 &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	while IFS= read -r fault; do fail "$fault"; done < <(cat "$TMP"/lane*)
}

# Puts every LANES-th subtest, and what is wanted in its place, into `names`.
lane_of() { # MODE PROTOCOL NUMBER
	local all at instead
	read -ra all <<<"${SUBTESTS[$2]}"
	names=()
	for ((at = $3; at < ${#all[@]}; at += LANES)); do
		instead=''
		[[ $1 != lro ]] || instead=${INSTEAD[$2/${all[at]}]:-}
		names+=("${all[at]}" "${instead:--}")
	done
}

TESTS=()
for mode in "${MODES[@]}"; do
	for protocol in "${PROTOCOLS[@]}"; do
		eval "${mode}_$protocol() { all_subtests $mode $protocol; }"
		TESTS+=("${mode}_$protocol")
	done
done

topology() {
	local number
	start_agent
	setup_ns gw
	for ((number = 0; number < LANES; number++)); do cable "$gw" "eth$number" - "$gw" "lan$number" -; done
	apply
	for ((number = 0; number < LANES; number++)); do
		ip -n "$gw" link set "eth$number" mtu 4096 address "02:00:00:00:01:0$number"
		ip -n "$gw" link set "lan$number" mtu 4096 address "02:00:00:00:02:0$number"
		gro_link "$gw" "lan$number" "$gw" "eth$number"
		hold_for "$gw" "lan$number" "$HOLD"
	done
}

topology
tests_run
