#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Docker on the gateway: its published ports belong to connection tracking, and work beside a policy
# that masquerades all that leaves by wan0; what inside hosts send is translated here. With the rules
# that dockerd installs, by iptables and by nftables.
#
#   client            gw                        server
#   eth0 ---------- lan0  wan0 ------------------ eth0
#   10.0.0.2    10.0.0.1  192.0.2.1           192.0.2.2
#                         docker0 172.17.0.1
#                           └── veth ---------- eth0 of inner, a container, 172.17.0.2
#   published: 8080 for tcp 80, 8053 for udp 53, 8054 for udp 54, where nobody listens

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	iptables_published_ports
	iptables_published_ports_in_mode_tracked
	iptables_published_ports_with_offload
	iptables_outgoing_connections_of_containers
	nftables_published_ports
	nftables_published_ports_in_mode_tracked
	nftables_published_ports_with_offload
	nftables_outgoing_connections_of_containers
)

# As Docker Engine 28 makes them (iptables-save), with a hairpin rule of former ones.
iptables_rules() {
	at "$gw" iptables-nft-restore <<-END
		*raw
		-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
		COMMIT
		*nat
		:DOCKER - [0:0]
		-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
		-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
		-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
		-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
		-A DOCKER -i docker0 -j RETURN
		-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
		-A DOCKER ! -i docker0 -p udp -m udp --dport 8053 -j DNAT --to-destination 172.17.0.2:53
		-A DOCKER ! -i docker0 -p udp -m udp --dport 8054 -j DNAT --to-destination 172.17.0.2:54
		COMMIT
		*filter
		:DOCKER - [0:0]
		:DOCKER-BRIDGE - [0:0]
		:DOCKER-CT - [0:0]
		:DOCKER-FORWARD - [0:0]
		:DOCKER-INTERNAL - [0:0]
		:DOCKER-USER - [0:0]
		-A FORWARD -j DOCKER-USER
		-A FORWARD -j DOCKER-FORWARD
		-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
		-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p udp -m udp --dport 53 -j ACCEPT
		-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p udp -m udp --dport 54 -j ACCEPT
		-A DOCKER ! -i docker0 -o docker0 -j DROP
		-A DOCKER-BRIDGE -o docker0 -j DOCKER
		-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A DOCKER-FORWARD -j DOCKER-CT
		-A DOCKER-FORWARD -j DOCKER-INTERNAL
		-A DOCKER-FORWARD -j DOCKER-BRIDGE
		-A DOCKER-FORWARD -i docker0 -j ACCEPT
		COMMIT
	END
}

# As Docker Engine 29 makes them with "firewall-backend": "nftables".
nftables_rules() {
	at "$gw" nft -f - <<-END
		table ip docker-bridges {
			map filter-forward-in-jumps {
				type ifname : verdict
				elements = { "docker0" : jump filter-forward-in__docker0 }
			}
			map filter-forward-out-jumps {
				type ifname : verdict
				elements = { "docker0" : jump filter-forward-out__docker0 }
			}
			map nat-postrouting-in-jumps {
				type ifname : verdict
				elements = { "docker0" : jump nat-postrouting-in__docker0 }
			}
			map nat-postrouting-out-jumps {
				type ifname : verdict
				elements = { "docker0" : jump nat-postrouting-out__docker0 }
			}
			chain filter-FORWARD {
				type filter hook forward priority filter; policy accept;
				oifname vmap @filter-forward-in-jumps
				iifname vmap @filter-forward-out-jumps
			}
			chain nat-OUTPUT {
				type nat hook output priority dstnat; policy accept;
				ip daddr != 127.0.0.0/8 fib daddr type local counter jump nat-prerouting-and-output
			}
			chain nat-POSTROUTING {
				type nat hook postrouting priority srcnat; policy accept;
				iifname vmap @nat-postrouting-out-jumps
				oifname vmap @nat-postrouting-in-jumps
			}
			chain nat-PREROUTING {
				type nat hook prerouting priority dstnat; policy accept;
				fib daddr type local counter jump nat-prerouting-and-output
			}
			chain nat-prerouting-and-output {
				iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80 comment "DNAT"
				iifname != "docker0" udp dport 8053 counter dnat to 172.17.0.2:53 comment "DNAT"
				iifname != "docker0" udp dport 8054 counter dnat to 172.17.0.2:54 comment "DNAT"
			}
			chain raw-PREROUTING {
				type filter hook prerouting priority raw; policy accept;
				ip daddr 172.17.0.2 iifname != "docker0" counter drop comment "DROP DIRECT ACCESS"
			}
			chain filter-forward-in__docker0 {
				ct state established,related counter accept
				iifname "docker0" counter accept comment "ICC"
				ip daddr 172.17.0.2 tcp dport 80 counter accept
				ip daddr 172.17.0.2 udp dport 53 counter accept
				ip daddr 172.17.0.2 udp dport 54 counter accept
				counter drop comment "UNPUBLISHED PORT DROP"
			}
			chain filter-forward-out__docker0 {
				ct state established,related counter accept
				counter accept comment "OUTGOING"
			}
			chain nat-postrouting-in__docker0 {
			}
			chain nat-postrouting-out__docker0 {
				oifname != "docker0" ip saddr 172.17.0.0/16 counter masquerade comment "MASQUERADE"
			}
		}
	END
}

# settings RULES [CONFIG…]
settings() {
	at "$gw" nft flush ruleset
	"$1" || { skip "no $1 here"; return 1; }
	configure flow flush
	configure config set --conntrack untracked --offload off
	shift
	(($# == 0)) || configure config set "$@"
}

# Every published port, from everywhere, the connection held for several exchanges.
published() {
	local before
	before=$(counter pass-other-nat)
	is "TCP from outside, the container saw" "$(ask tcp "$server" 192.0.2.2:0 192.0.2.1:8080 5000 | cut -d: -f1)" 192.0.2.2
	hold p tcp "$server" 192.0.2.2:0 192.0.2.1:8080
	for _ in 1 2 3 4; do
		like "again" "$(say p)" '^192\.0\.2\.2:'
	done
	hold q udp "$server" 192.0.2.2:0
	for _ in 1 2 3 4; do
		# say() also checks that the answer comes from the address that was asked.
		like "UDP from outside" "$(say q 192.0.2.1:8053)" '^192\.0\.2\.2:'
	done
	is "a port where nobody listens" "$(ask udp "$server" - 192.0.2.1:8054)" refused
	like "from inside" "$(ask tcp "$client" - 192.0.2.1:8080)" '^10\.0\.0\.2:'
	like "UDP from inside" "$(ask udp "$client" - 192.0.2.1:8053)" '^10\.0\.0\.2:'
	like "from the gateway" "$(ask tcp "$gw" - 192.0.2.1:8080)" '^192\.0\.2\.1:'
	is "flows of that" "$(flows)" 0
	at_least "pass-other-nat" "$(counter pass-other-nat)" $((before + 10))
}

# What inside hosts send is translated here.
inside_hosts() {
	hold c udp "$client" 10.0.0.2:0 192.0.2.2:53
	hold d tcp "$client" 10.0.0.2:0 192.0.2.2:80
	for _ in 1 2 3 4 5 6; do
		like "UDP of an inside host" "$(say c)" '^192\.0\.2\.1:'
		like "TCP of an inside host" "$(say d)" '^192\.0\.2\.1:'
	done
	is "an error" "$(ask udp "$client" - 192.0.2.2:9999)" refused
	at_least "flows of that" "$(flows)" 2
}

both() { settings "$@" && published && inside_hosts; }

# Docker drops what comes to a container and is not known to connection tracking, ahead of that. So
# its containers need its own masquerading, and a policy that leaves them to it.
containers() {
	local id
	settings "$@" || return
	id=$(fn --json policy add no-snat --priority 10 --src 172.17.0.0/16 --out wan0 | jq .id)
	hold o udp "$inner" 172.17.0.2:0 192.0.2.2:53
	for _ in 1 2 3 4; do
		like "UDP" "$(say o)" '^192\.0\.2\.1:'
	done
	like "TCP" "$(ask tcp "$inner" - 192.0.2.2:80 5000)" '^192\.0\.2\.1:'
	is "an error" "$(ask udp "$inner" - 192.0.2.2:9999)" refused
	is "flows of that" "$(flows)" 0
	answers_go_to_the_container
	configure policy del "$id"
}

# An inside host has a binding at the very port that connection tracking gave to the container.
answers_go_to_the_container() {
	local port
	hold i udp "$client" 10.0.0.2:0
	port=$(say i 192.0.2.4:53)
	like "the inside host's" "$port" '^192\.0\.2\.1:'
	hold n udp "$inner" "172.17.0.2:${port#*:}" 192.0.2.2:53
	for _ in 1 2 3; do
		is "the container's" "$(say n)" "$port"
	done
	is "the inside host's again" "$(say i 192.0.2.4:53)" "$port"
}

iptables_published_ports() { both iptables_rules; }
iptables_published_ports_in_mode_tracked() { both iptables_rules --conntrack tracked; }
iptables_published_ports_with_offload() { both iptables_rules --offload on; }
iptables_outgoing_connections_of_containers() { containers iptables_rules; }
nftables_published_ports() { both nftables_rules; }
nftables_published_ports_in_mode_tracked() { both nftables_rules --conntrack tracked; }
nftables_published_ports_with_offload() { both nftables_rules --offload on; }
nftables_outgoing_connections_of_containers() { containers nftables_rules; }

gateway_topology
setup_ns inner
cable "$inner" eth0 172.17.0.2/16 "$gw" veth0 -
NOTES[$gw]+=$'link add docker0 type bridge\nlink set veth0 master docker0\nlink set docker0 up\naddr add 172.17.0.1/16 dev docker0\n'
route "$inner" default via 172.17.0.1
apply
at "$gw" nft list ruleset >/dev/null 2>&1 || skip_all "no nftables"
# Where Docker is, so is this, and bridged packets pass the hooks of IP.
with_br_netfilter || note "no br_netfilter"
serve tcp "$inner" 172.17.0.2:80
serve udp "$inner" 172.17.0.2:53
serve tcp "$server" 0.0.0.0:80
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.4:53
configure policy add masquerade --out wan0
tests_run
