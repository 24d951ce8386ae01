#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A gateway with one interface, in one network with its inside hosts and with the router beyond. The
# kernel tells inside hosts of that router (ICMP redirect), and they believe it: nothing that is
# translated may have them told, or they would go there untranslated.
#
#   client, twin      gw              inner             server
#   eth0              eth0            eth0  eth1 ------- eth0
#     │ 10.0.0.2, .3    │ 10.0.0.1      │ 10.0.0.254     192.0.2.2
#     └─────────────────┴───────────────┘ a switch: outer
#   The server knows a way back to 10.0.0.1 alone, and inner answers for that by the gateway.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	an_untranslated_packet_gets_its_redirect
	no_redirect_about_what_is_masqueraded
	nor_to_the_router_about_the_answers
	the_same_with_offload
	no_redirect_with_the_kernels_nat
	no_redirect_about_a_forwarded_port
	no_redirect_about_a_hairpin_in_one_network
	no_redirect_about_who_is_let_in
	a_policy_by_mark
	an_exempted_packet_gets_its_redirect
)

# forgotten: as if nobody had sent anything yet; the kernel ends to tell who does not listen.
forgotten() {
	local ns
	for ns in "$client" "$twin" "$inner"; do
		at "$ns" ip route flush cache
	done
	configure flow flush
}

observe() {
	forgotten
	capture redirect "$gw" eth0 'icmp[icmptype] == icmp-redirect'
}

no_redirects() {
	is "redirects" "$(captured redirect)" ""
	is "what the client has learned" "$(at "$client" ip route get "${1:-192.0.2.2}" | grep -c redirected)" 0
}

# talk SEEN: over UDP, TCP and with pings, each by a new socket.
talk() {
	local _
	hold u udp "$client" 10.0.0.2:0
	hold t tcp "$client" 10.0.0.2:0 192.0.2.2:80
	for _ in 1 2 3 4 5 6; do
		like "UDP" "$(say u 192.0.2.2:53)" "^$1:"
		like "TCP" "$(say t)" "^$1:"
	done
	works "ping" at "$client" ping -qc2 -i0.2 -W5 192.0.2.2
}

# The kernel believes only the redirect that comes when it knows the new router's link-layer address.
bypasses() {
	ask udp "$client" - 192.0.2.2:53 >/dev/null
	at "$client" ip route get 192.0.2.2 | grep -q 'via 10.0.0.254'
}

an_untranslated_packet_gets_its_redirect() {
	works "route" ip -n "$server" route replace 10.0.0.0/24 via 192.0.2.1
	observe
	like "without a policy" "$(ask udp "$client" - 192.0.2.2:53)" '^10\.0\.0\.2:'
	comes_true "the client's new route" 5 bypasses
	like "redirect" "$(captured redirect)" 'redirect 192\.0\.2\.2 to host 10\.0\.0\.254'
	works "route" ip -n "$server" route del 10.0.0.0/24
}

no_redirect_about_what_is_masqueraded() {
	configure policy add masquerade --out eth0 --dst 192.0.2.0/24
	observe
	talk '10\.0\.0\.1'
	no_redirects
	at_least "drop-redirect" "$(counter drop-redirect)" 1
}

# Answers go from the router to the gateway to the client, in one network.
nor_to_the_router_about_the_answers() {
	observe
	talk '10\.0\.0\.1'
	is "redirects" "$(captured redirect)" ""
	unlike "the router's route" "$(at "$inner" ip route get 10.0.0.2)" via
}

the_same_with_offload() {
	local before
	configure config set --offload on
	observe
	before=$(counter offloaded)
	talk '10\.0\.0\.1'
	no_redirects
	at_least "offloaded" "$(counter offloaded)" $((before + 10))
	configure config set --offload off
}

no_redirect_with_the_kernels_nat() {
	unconfigure
	at "$gw" nft -f - <<-END || { skip "no nftables"; return; }
		table ip kernel {
			chain postrouting {
				type nat hook postrouting priority srcnat
				ip daddr 192.0.2.0/24 masquerade
			}
		}
	END
	forgotten
	talk '10\.0\.0\.1'
	at "$gw" nft delete table ip kernel
	configure policy add masquerade --out eth0 --dst 192.0.2.0/24
}

no_redirect_about_a_forwarded_port() {
	configure policy add dnat --dst 10.0.0.1 --proto udp --dport 8053 --to 10.0.0.3:53
	observe
	hold s udp "$server" 192.0.2.2:0
	for _ in 1 2 3; do
		like "the twin saw" "$(say s 10.0.0.1:8053)" '^192\.0\.2\.2:'
	done
	is "redirects" "$(captured redirect)" ""
}

no_redirect_about_a_hairpin_in_one_network() {
	configure policy add masquerade --out eth0 --dst 10.0.0.3
	observe
	hold h udp "$client" 10.0.0.2:0
	for _ in 1 2 3; do
		like "the twin saw" "$(say h 10.0.0.1:8053)" '^10\.0\.0\.1:'
	done
	no_redirects 10.0.0.3
}

# Strangers' packets are led in by a binding, and make no flow.
no_redirect_about_who_is_let_in() {
	local outside
	observe
	hold b udp "$client" 10.0.0.2:0
	outside=$(say b 192.0.2.2:53)
	like "outside" "$outside" '^10\.0\.0\.1:'
	hold x udp "$server" 192.0.2.2:999
	agent tell x "$outside" hello >/dev/null
	is "the client heard" "$(hear b)" "192.0.2.2:999 hello"
	is "redirects" "$(captured redirect)" ""
}

# Redirects have no mark of their own, but that of the packet if the host is told to.
a_policy_by_mark() {
	unconfigure
	at "$gw" nft -f - <<-END || { skip "no nftables"; return; }
		table ip marks {
			chain prerouting {
				type filter hook prerouting priority mangle
				ip daddr 192.0.2.2 meta mark set 7
			}
		}
	END
	agent sysctl "$gw" net.ipv4.fwmark_reflect=1 >/dev/null
	configure policy add masquerade --mark 7
	observe
	talk '10\.0\.0\.1'
	no_redirects
	at "$gw" nft delete table ip marks
}

# The kernel does not redirect who did not listen for a while: so it is a new sender.
an_exempted_packet_gets_its_redirect() {
	unconfigure
	configure policy add masquerade --out eth0
	configure policy add no-snat --dst 192.0.2.4 --priority 1
	observe
	is "answer" "$(silent ask udp "$twin" 10.0.0.4:0 192.0.2.4:53)" timeout
	like "redirect" "$(captured redirect)" 'redirect 192\.0\.2\.4 to host 10\.0\.0\.254'
}

start_agent
setup_ns client twin gw inner outer server
for host in client:eth0:10.0.0.2 twin:eth0:10.0.0.3 gw:eth0:10.0.0.1 inner:eth0:10.0.0.254; do
	IFS=: read -r name dev addr <<<"$host"
	cable "${!name}" "$dev" "$addr/24" "$outer" "to-$name" -
	NOTES[$outer]+="link set to-$name master lan"$'\n'
done
NOTES[$outer]=$'link set lo up\nlink add lan type bridge\nlink set lan up\n'"${NOTES[$outer]#*$'\n'}"
cable "$inner" eth1 192.0.2.1/24 "$server" eth0 192.0.2.2/24
address "$server" 192.0.2.4/24 eth0
for ns in "$client" "$twin"; do
	route "$ns" default via 10.0.0.1
done
address "$twin" 10.0.0.4/24 eth0
route "$gw" default via 10.0.0.254
route "$server" 10.0.0.1/32 via 192.0.2.1
forwarding "$gw" "$inner"
apply
for ns in "$client" "$twin" "$inner"; do
	is "settings" "$(agent sysctl "$ns" net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.eth0.accept_redirects=1)" ok
done
is "settings" "$(agent sysctl "$gw" net.ipv4.conf.all.send_redirects=1)" ok
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
serve udp "$twin" 10.0.0.3:53
tests_run
