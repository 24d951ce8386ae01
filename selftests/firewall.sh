#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A firewall that does more than to let through: it refuses in both directions, makes segments smaller, remembers
# marks of connections, and gives connections to a transparent proxy.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#                         wan1 ---------------- eth1
#                         198.51.100.1   198.51.100.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	what_leaves_is_refused_by_reset
	what_comes_in_is_refused_by_reset
	what_comes_in_is_refused_by_icmp
	segments_are_made_smaller
	a_transparent_proxy_takes_connections
	a_transparent_proxy_speaks_with_addresses_of_others
	other_connections_pass_by_the_proxy
	marks_of_connections_lead_answers_back
)

ruleset() { works "ruleset" at "$gw" nft -f - ; }

# without_rules: but for the counters of fastpath_lib.sh.
without_rules() { ruleset <<<'destroy table ip fw'; }

forward() {
	ruleset <<-END
		destroy table ip fw
		table ip fw { chain forward { type filter hook forward priority 10; $1; }; }
	END
}

what_leaves_is_refused_by_reset() {
	forward 'iifname lan0 tcp dport 82 reject with tcp reset'
	capture refused "$client" eth0 'tcp[tcpflags] & tcp-rst != 0'
	is "TCP" "$(ask tcp "$client" 10.0.0.2:4100 192.0.2.2:82)" refused
	like "by whom" "$(captured refused)" '192\.0\.2\.2\.82 > 10\.0\.0\.2\.4100: Flags \[R'
	like "another port" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
}

# The refusal comes from where the stranger has sent to, and shows nothing of inside.
what_comes_in_is_refused_by_reset() {
	forward 'iifname wan0 tcp dport 80 reject with tcp reset'
	capture refused "$server" eth0 'tcp[tcpflags] & tcp-rst != 0'
	is "TCP" "$(ask tcp "$server" 192.0.2.2:4101 192.0.2.1:80)" refused
	like "by whom" "$(captured refused)" '192\.0\.2\.1\.80 > 192\.0\.2\.2\.4101: Flags \[R'
	forward 'accept'
	is "without the rule" "$(ask tcp "$server" 192.0.2.2:4102 192.0.2.1:80)" 192.0.2.2:4102
}

what_comes_in_is_refused_by_icmp() {
	forward 'udp dport 53 reject with icmp admin-prohibited'
	capture refused "$server" eth0 'icmp'
	is "UDP in" "$(ask udp "$server" 192.0.2.2:4103 192.0.2.1:53)" EHOSTUNREACH
	like "of what" "$(captured refused)" '192\.0\.2\.2\.4103 > 192\.0\.2\.1\.53'
	is "UDP out" "$(ask udp "$client" - 192.0.2.2:53)" EHOSTUNREACH
	without_rules
}

# The way is narrow behind the gateway's cable, and nobody says so; only smaller segments pass. SYNs always take
# the whole stack, so the rule sees them with offload, too.
segments_are_made_smaller() {
	agent close t >/dev/null
	narrow
	hold t tcp "$client" 10.0.0.2:4110 192.0.2.2:80
	is "without the rule" "$(silent burst t 1 5000)" 0
	forward 'tcp flags syn / syn,rst tcp option maxseg size set 1060'
	capture syns "$server" eth0 'tcp[tcpflags] & tcp-syn != 0'
	hold t tcp "$client" 10.0.0.2:4111 192.0.2.2:80
	warm t
	past t 4 5000
	is "sizes" "$(captured syns | grep -o 'mss [0-9]*' | sort | uniq -c | xargs)" "1 mss 1060 1 mss 1460"
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
	without_rules
	wide
}

# By tc at the server's end, for packets of more than 1200 bytes; aggregates would hide what is in them.
narrow() {
	at "$server" ethtool -K eth0 tso off gso off gro off tx-udp-segmentation off >/dev/null 2>&1
	at "$gw" ethtool -K wan0 tso off gso off gro off >/dev/null 2>&1
	at "$client" ethtool -K eth0 tso off gso off gro off >/dev/null 2>&1
	ruleset <<-'END'
		table netdev narrow {
			chain in { type filter hook ingress device wan0 priority 0; meta length > 1300 drop; }
			chain out { type filter hook egress device wan0 priority 0; meta length > 1300 drop; }
		}
	END
}

wide() { ruleset <<<'delete table netdev narrow'; }

PROXY=5000

# As in the kernel's Documentation/networking/tproxy.rst.
transparent() {
	ruleset <<-END
		table ip fw {
			chain prerouting {
				type filter hook prerouting priority mangle
				meta l4proto tcp socket transparent 1 meta mark set 1 accept
				iifname lan0 tcp dport 80 tproxy to 127.0.0.1:$PROXY meta mark set 1 accept
			}
		}
	END
	works "rule" ip -n "$gw" rule add fwmark 1 table 100
	works "route" ip -n "$gw" route add local default dev lo table 100
}

flows_of_client() { fn --json flow list --proto tcp | jq '[.[] | select(.orig."src-addr" == "10.0.0.2")] | length'; }

a_transparent_proxy_takes_connections() {
	local before
	for module in nft_tproxy nft_socket; do modprobe -q "$module" 2>/dev/null; done
	[[ -d /sys/module/nft_tproxy ]] || { skip "no TPROXY"; return; }
	transparent
	spawn "$gw" python3 -IS "$HERE/tproxy.py" "$PROXY"
	proxy=$!
	comes_true "the proxy listens" 20 listening "$gw" "$PROXY"
	before=$(flows_of_client)
	capture out "$server" eth0 'tcp dst port 80'
	hold t tcp "$client" 10.0.0.2:4120 192.0.2.2:80
	like "server saw" "$(say t)" '^192\.0\.2\.1:'
	is "a long answer" "$(burst t 4 20000)" 4
	unlike "addresses of inside" "$(captured out)" '10\.0\.0\.'
	# It is the proxy's own connection, and no flow of the client's.
	is "flows of the client" "$(flows_of_client)" "$before"
	agent close t >/dev/null
}

# The proxy binds to the client's address: these packets are the host's, and of another address than wan0's, and
# their answers are translated back before the rule finds the proxy's socket.
a_transparent_proxy_speaks_with_addresses_of_others() {
	local before
	[[ -d /sys/module/nft_tproxy ]] || { skip "no TPROXY"; return; }
	kill "$proxy"
	wait "$proxy" 2>/dev/null
	spawn "$gw" python3 -IS "$HERE/tproxy.py" "$PROXY" spoof
	comes_true "the proxy listens" 20 listening "$gw" "$PROXY"
	before=$(flows_of_client)
	capture out "$server" eth0 'tcp dst port 80'
	hold t tcp "$client" 10.0.0.2:4121 192.0.2.2:80
	like "server saw" "$(say t)" '^192\.0\.2\.1:'
	is "a long answer" "$(burst t 4 20000)" 4
	unlike "addresses of inside" "$(captured out)" '10\.0\.0\.'
	is "flows of the client's address" "$(flows_of_client)" $((before + 1))
	agent close t >/dev/null
}

other_connections_pass_by_the_proxy() {
	[[ -d /sys/module/nft_tproxy ]] || { skip "no TPROXY"; return; }
	warm u
	past u
	is "a forwarded port" "$(ask tcp "$server" 192.0.2.2:4122 192.0.2.1:80)" 192.0.2.2:4122
	without_rules
	works "rule" ip -n "$gw" rule del fwmark 1 table 100
}

# Two uplinks, and the default route by the first. In mode tracked a connection's mark is at hand when the answer
# is routed; without the rules it goes where the default route leads to, and the stranger hears nothing.
marks_of_connections_lead_answers_back() {
	configure config set --offload off
	configure config set --conntrack tracked
	configure policy add dnat --in wan1 --dst 198.51.100.1 --proto tcp --dport 80 --to 10.0.0.2
	configure policy add dnat --in wan1 --dst 198.51.100.1 --proto udp --dport 53 --to 10.0.0.2
	works "address" ip -n "$server" addr add 203.0.113.7/32 dev eth1
	works "route" ip -n "$gw" route add default via 192.0.2.2
	works "route" ip -n "$server" route del 203.0.113.0/24
	agent sysctl "$gw" net.ipv4.conf.all.rp_filter=2 >/dev/null
	works "the server's way" ip -n "$server" route replace 198.51.100.1/32 dev eth1 src 203.0.113.7
	capture wrong "$server" eth0 'src host 198.51.100.1'
	silent ask tcp "$server" 203.0.113.7:4130 198.51.100.1:80 >/dev/null
	like "answers without the rules" "$(captured wrong)" '198\.51\.100\.1\.80 > 203\.0\.113\.7\.4130: Flags \[S\.\]'
	ruleset <<-'END'
		table ip fw {
			chain prerouting {
				type filter hook prerouting priority mangle
				iifname wan1 ct state new ct mark set 2
				iifname lan0 meta mark set ct mark
			}
		}
	END
	works "rule" ip -n "$gw" rule add fwmark 2 table 102
	works "route" ip -n "$gw" route add default via 198.51.100.2 dev wan1 table 102
	capture wrong "$server" eth0 'src host 198.51.100.1'
	is "TCP" "$(ask tcp "$server" 203.0.113.7:4131 198.51.100.1:80)" 203.0.113.7:4131
	is "UDP" "$(ask udp "$server" 203.0.113.7:4132 198.51.100.1:53)" 203.0.113.7:4132
	is "answers by the first uplink" "$(captured wrong)" ""
	like "the client itself" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
}

gateway_topology
at "$gw" nft list ruleset >/dev/null 2>&1 || skip_all "no nftables"
cable "$gw" wan1 198.51.100.1/24 "$server" eth1 198.51.100.2/24
apply
offloading wan0
endpoints
serve tcp "$server" 0.0.0.0:82
tests_run
