# SPDX-License-Identifier: GPL-2.0
# Sourced after lib.sh by tests that need flows by the ten thousand: the kernel's packet generator.
# shellcheck shell=bash disable=SC2154 # lib.sh sets the namespaces

# The common topology. The gateway routes 198.18.0.0/15 into an interface that swallows everything, and
# believes that 10.1.0.0/16 is behind the client; all of 10.0.0.0/8 is translated to a pool there.
hole_topology() {
	modprobe pktgen 2>/dev/null || skip_all "needs the kernel's packet generator, pktgen"
	trap 'cleanup; rmmod pktgen 2>/dev/null' EXIT
	gateway_topology
	ip -n "$gw" -batch - <<-'END'
		link add hole type dummy
		link set hole up
		addr add 198.18.0.254/15 dev hole
		route add 10.1.0.0/16 via 10.0.0.2
	END
	LAN_MAC=$(ip -n "$gw" -j link show lan0 | jq -r '.[0].address')
	blast 2000 >"$TMP/pps"
	PPS=$(cat "$TMP/pps")
	configure pool add many --range 203.0.113.0/28
	configure policy add snat --pool many --src 10.0.0.0/8 --out hole --id 1000
}

# affordable COUNT: so many; fewer if the machine needs too long for that, but 2000.
affordable() {
	local most=$((${PPS:-0} * 4))
	((most > 2000)) || most=2000
	echo $(($1 < most ? $1 : most))
}

# blast COUNT OPTION…: sends so many datagrams into the hole, each from another inside endpoint, out of
# 213000, unless pktgen's options say otherwise. Returns when all are sent, and prints how many a second.
blast() {
	# shellcheck disable=SC2016 # expands inside
	at "$client" bash -c '
		cd /proc/net/pktgen || exit
		set_all() { local file=$1 line; shift; for line; do echo "$line" >"$file" || exit; done; }
		set_all kpktgend_0 rem_device_all "add_device eth0"
		set_all eth0 "$@"
		echo start >pgctrl
		# That waits for the end, unless the machine is so busy that there has not been a beginning.
		for ((i = 0; i < 600; i++)); do
			[[ ! $(<eth0) =~ ([0-9]+)pps ]] || { echo "${BASH_REMATCH[1]}"; break; }
			sleep 0.1
		done
		echo rem_device_all >kpktgend_0' blast \
		"count $1" "delay 0" "clone_skb 0" "pkt_size 60" "dst_mac $LAN_MAC" "dst 198.18.0.1" \
		"src_min 10.1.0.1" "src_max 10.1.0.13" "udp_src_min 10000" "udp_src_max 26381" \
		"udp_dst_min 9" "udp_dst_max 9" "${@:2}" || fail "pktgen" >&2
}
