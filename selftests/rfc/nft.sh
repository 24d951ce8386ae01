# SPDX-License-Identifier: GPL-2.0
# The driver of connection tracking's NAT for rfc.sh, see fastnat.sh; $NFT_FLAGS are those of the rule.
# shellcheck shell=bash disable=SC2154 # lib.sh has the namespaces, rfc.sh the flags

NFT_BEFORE=()

nft_rules() { works "nft" at "$gw" nft -f - <<<"$1"; }

nft_nat() {
	nft_rules "table ip nat {
		chain post { type nat hook postrouting priority srcnat; oifname wan0 counter $*; }
		chain forward { type filter hook forward priority filter; }
	}"
}

nft_up() { nft_nat "masquerade $NFT_FLAGS"; }

nft_clear() {
	at "$gw" conntrack -F 2>/dev/null
	at "$gw" nft flush ruleset
}

# Of the namespace or, for some settings, of all.
nft_down() {
	local setting
	nft_clear
	for setting in "${NFT_BEFORE[@]}"; do
		sysctl_in "${setting%% *}" -qw "net.netfilter.${setting#* }"
	done
	NFT_BEFORE=()
}

sysctl_in() { if [[ $1 == all ]]; then sysctl "${@:2}"; else at "$gw" sysctl "${@:2}"; fi; }

nft_set() { # gw|all NAME VALUE
	NFT_BEFORE=("$1 $2=$(sysctl_in "$1" -n "net.netfilter.$2")" "${NFT_BEFORE[@]}")
	works "setting" sysctl_in "$1" -qw "net.netfilter.$2=$3"
}

nft_left() { at "$gw" conntrack -L -p "$1" 2>/dev/null | awk '{ print $3 }' | sort -n | head -n1; }

# Of all states that a test gets connections to.
nft_timeout() {
	local state
	if [[ $1 == tcp ]]; then
		for state in established close; do
			nft_set gw "nf_conntrack_tcp_timeout_$state" "$2"
		done
		return
	fi
	nft_set gw "nf_conntrack_$1_timeout" "$2"
	[[ $1 != udp ]] || nft_set gw nf_conntrack_udp_timeout_stream "$2"
}

nft_closing() {
	local state
	for state in fin_wait close_wait last_ack time_wait; do
		nft_set gw "nf_conntrack_tcp_timeout_$state" "$1"
	done
}

nft_mappings() {
	at "$gw" conntrack -L 2>/dev/null | sed -nE 's/.* src=(\S+) dst=\S+ sport=(\S+) .* dst=(\S+) sport=\S+ dport=(\S+) .*/\1:\2 \3:\4/p'
}
nft_made() { at "$gw" nft list chain ip nat post | sed -nE 's/.*counter packets ([0-9]+).*/\1/p'; }
nft_watch() {
	nsenter --net="/run/netns/$gw" conntrack -E -e NEW,DESTROY >"$1" 2>&1 &
	JOBS+=($!)
}

nft_pool() {
	local to=$2 ports=''
	if (($# > 2)); then
		to="jhash ip saddr mod $(($# - 1)) map {"
		while (($# > 1)); do
			to+=" $(($# - 2)) : ${*: -1},"
			set -- "${@:1:$#-1}"
		done
		to+=" }"
	fi
	[[ $1 == - ]] || ports=":$1"
	nft_clear
	nft_nat "meta l4proto { tcp, udp } snat to $to$ports $NFT_FLAGS"
}

nft_limit() {
	nft_rules "table ip nat {
		set hosts { type ipv4_addr; flags dynamic; }
		chain forward { iifname != wan0 ct state new add @hosts { ip saddr ct count over $1 } reject with icmp admin-prohibited; }
	}"
}

nft_sessions() { nft_limit "$1"; }

nft_rate() {
	nft_rules "table ip nat {
		set hosts { type ipv4_addr; flags dynamic; }
		chain forward {
			iifname != wan0 ct state new add @hosts { ip saddr limit rate over $1/second burst $1 packets } drop
		}
	}"
}

nft_exempt() { nft_rules "insert rule ip nat post ip daddr $1 accept"; }

# As many buckets as entries, as the module does it by default.
nft_size() {
	nft_set all nf_conntrack_buckets "$1"
	nft_set all nf_conntrack_max "$1"
}

nft_options() { :; }
