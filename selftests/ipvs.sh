#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# IPVS in NAT mode on the gateway, as keepalived and kube-proxy use it: its connections stay as IPVS
# makes them, beside a policy that masquerades all that leaves by wan0.
#
#   client              gw                          server
#   eth0 ------------ lan0  wan0 -------------------- eth0
#   10.0.0.2      10.0.0.1  192.0.2.1, virtual     192.0.2.2
#   real server             service 192.0.2.1:8080
#   client2
#   eth0 ------------ lan1 10.0.1.1
#   10.0.1.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_virtual_service
	in_mode_tracked
	with_offload
	with_conntrack_in_ipvs_as_kube_proxy_has_it
	a_service_on_an_address_of_a_pool
)

# Once with connections old enough to be offloaded, if they were flows.
works_beside() {
	local before
	configure flow flush
	before=$(counter pass-other-nat)
	hold t tcp "$server" 192.0.2.2:0 192.0.2.1:8080
	hold u udp "$server" 192.0.2.2:0
	for _ in 1 2 3 4; do
		like "TCP, the real server saw" "$(say t)" "^${1:-192\.0\.2\.2}:"
		like "UDP" "$(say u 192.0.2.1:8053)" "^${1:-192\.0\.2\.2}:"
	done
	is "a port where nobody listens" "$(ask udp "$server" - 192.0.2.1:8054)" refused
	like "from inside" "$(ask tcp "$client2" - 192.0.2.1:8080)" "^10\.0\.[01]\."
	is "flows of that" "$(flows)" 0
	at_least "pass-other-nat" "$(counter pass-other-nat)" $((before + 8))
	hold c udp "$client" 10.0.0.2:0 192.0.2.2:53
	for _ in 1 2 3 4; do
		like "an inside host" "$(say c)" '^192\.0\.2\.1:'
	done
	like "TCP of the real server" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	is "flows of that" "$(flows)" 2
}

a_virtual_service() { works_beside; }

in_mode_tracked() {
	configure config set --conntrack tracked
	works_beside
	configure config set --conntrack untracked
}

with_offload() {
	configure config set --offload on
	works_beside
	configure config set --offload off
}

with_conntrack_in_ipvs_as_kube_proxy_has_it() {
	agent sysctl "$gw" net.ipv4.vs.conntrack=1 >/dev/null
	at "$gw" nft -f - <<-END
		table ip kube-proxy {
			chain postrouting {
				type nat hook postrouting priority srcnat
				ip daddr 10.0.0.2 masquerade fully-random
			}
		}
	END
	works_beside '10\.0\.0\.1'
	at "$gw" nft delete table ip kube-proxy
	agent sysctl "$gw" net.ipv4.vs.conntrack=0 >/dev/null
}

a_service_on_an_address_of_a_pool() {
	unconfigure
	configure pool add out --range 203.0.113.10-203.0.113.10
	configure policy add snat --pool out --out wan0
	works "address" ip -n "$gw" addr add 203.0.113.10/32 dev wan0
	works "service" at "$gw" ipvsadm -A -t 203.0.113.10:8080 -s rr
	works "real server" at "$gw" ipvsadm -a -t 203.0.113.10:8080 -r 10.0.0.2:80 -m
	like "TCP" "$(ask tcp "$server" - 203.0.113.10:8080 5000)" '^192\.0\.2\.2:'
	is "flows of that" "$(flows)" 0
	like "an inside host" "$(ask tcp "$client2" - 192.0.2.2:80)" '^203\.0\.113\.10:'
}

services() {
	local service
	for service in -t:8080:80 -u:8053:53 -u:8054:54; do
		IFS=: read -r how from to <<<"$service"
		at "$gw" ipvsadm -A "$how" "192.0.2.1:$from" -s rr &&
			at "$gw" ipvsadm -a "$how" "192.0.2.1:$from" -r "10.0.0.2:$to" -m || return 1
	done
}

gateway_topology
second_client
forwarding "$gw"
apply
services 2>/dev/null || skip_all "no IPVS, or no ipvsadm"
serve tcp "$client" 10.0.0.2:80
serve udp "$client" 10.0.0.2:53
serve tcp "$server" 192.0.2.2:80
serve udp "$server" 192.0.2.2:53
configure policy add masquerade --out wan0
tests_run
