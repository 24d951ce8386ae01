#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# VRFs with the same addresses, inside and outside: their flows do not meet. And a VRF whose uplink is
# outside of it, by routes that lead from one table to the other.
#
#   red client, 10.0.0.2 ---- lanr [ VRF red  ] wanr ---- red server, 192.0.2.2
#   blue client, 10.0.0.2 --- lanb [ VRF blue ] wanb ---- blue server, 192.0.2.2
#                          10.0.0.1          192.0.2.1
#                                  [ main ]    wan0 ---- server, 198.51.100.2
#                                          198.51.100.1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	both_talk_from_one_endpoint
	what_comes_in_goes_to_its_own
	forwarded_ports
	errors_find_back
	limits_of_bindings_count_once
	offload_changes_nothing
	an_uplink_outside_of_the_vrf
	a_forwarded_port_from_outside_of_the_vrf
)

# shellcheck disable=SC2034 # by name, in setup_ns
red='' blue='' redsrv='' bluesrv=''

both_talk_from_one_endpoint() {
	local proto
	configure policy add masquerade --out 'wan*'
	for proto in udp tcp; do
		hold "r$proto" "$proto" "$red" 10.0.0.2:4000 192.0.2.2:80
		hold "b$proto" "$proto" "$blue" 10.0.0.2:4000 192.0.2.2:80
		like "$proto, red" "$(say "r$proto")" '^192\.0\.2\.1:'
		like "$proto, blue" "$(say "b$proto")" '^192\.0\.2\.1:'
		like "$proto, red again" "$(say "r$proto")" '^192\.0\.2\.1:'
		like "$proto, blue again" "$(say "b$proto")" '^192\.0\.2\.1:'
		unlike "$proto, red server heard one" "$(heard "$proto" "$redsrv" 80 | tr ' ' '\n' | sort -u | tr '\n' ' ')" ' .+ '
		unlike "$proto, blue server heard one" "$(heard "$proto" "$bluesrv" 80 | tr ' ' '\n' | sort -u | tr '\n' ' ')" ' .+ '
	done
	works "ping, red" at "$red" ping -qc1 -W5 192.0.2.2
	works "ping, blue" at "$blue" ping -qc1 -W5 192.0.2.2
	is "flows" "$(flows)" 6
}

# Endpoint-independent filtering, in the VRF of the binding alone.
what_comes_in_goes_to_its_own() {
	local r b
	hold rin udp "$red" 10.0.0.2:4100
	hold bin udp "$blue" 10.0.0.2:4100
	r=$(say rin 192.0.2.2:80) b=$(say bin 192.0.2.2:80)
	hold sr udp "$redsrv" 192.0.2.2:7000
	hold sb udp "$bluesrv" 192.0.2.2:7000
	agent tell sr "$r" to-red >/dev/null
	is "red heard" "$(hear rin)" "192.0.2.2:7000 to-red"
	agent tell sb "$b" to-blue >/dev/null
	is "blue heard" "$(hear bin)" "192.0.2.2:7000 to-blue"
	# The other's endpoint is nobody's here.
	agent tell sb "$r" astray >/dev/null
	agent tell sr "$b" astray >/dev/null
	is "red heard" "$(silent hear rin)" timeout
	is "blue heard" "$(silent hear bin)" timeout
}

forwarded_ports() {
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080 --to 10.0.0.2:80
	is "red" "$(ask tcp "$redsrv" 192.0.2.2:5000 192.0.2.1:8080)" 192.0.2.2:5000
	is "blue" "$(ask tcp "$bluesrv" 192.0.2.2:5000 192.0.2.1:8080)" 192.0.2.2:5000
	is "red heard" "$(heard tcp "$red" 80)" 192.0.2.2:5000
	is "blue heard" "$(heard tcp "$blue" 80)" 192.0.2.2:5000
}

errors_find_back() {
	is "red" "$(ask udp "$red" 10.0.0.2:4200 192.0.2.2:9)" refused
	is "blue" "$(ask udp "$blue" 10.0.0.2:4200 192.0.2.2:9)" refused
}

limits_of_bindings_count_once() {
	# The same inside endpoint has a binding in each.
	is "bindings" "$(fn --json binding list | jq '[.[] | select(."inside-addr" == "10.0.0.2" and ."inside-port" == 4100)] | length')" 2
	works "flush" fn flow flush
	is "flows and bindings" "$(flows) $(bindings)" "0 0"
}

# In VRFs nothing is offloaded; an offloaded flow outside of them has the same addresses.
offload_changes_nothing() {
	configure config set --offload on --offload-after 1
	hold or udp "$red" 10.0.0.2:4300 192.0.2.2:80
	hold ob udp "$blue" 10.0.0.2:4300 192.0.2.2:80
	is "red" "$(agent burst 4 or 5)" 5
	is "blue" "$(agent burst 4 ob 5)" 5
	is "red" "$(agent burst 4 or 5)" 5
	configure config set --offload off
}

an_uplink_outside_of_the_vrf() {
	ip -n "$gw" -batch - <<-END
		route add 198.51.100.0/24 dev wan0 vrf red
		route add 10.0.0.2/32 dev lanr
	END
	like "UDP" "$(ask udp "$red" - 198.51.100.2:80)" '^198\.51\.100\.1:'
	like "TCP" "$(ask tcp "$red" - 198.51.100.2:80)" '^198\.51\.100\.1:'
	works "ping" at "$red" ping -qc1 -W5 198.51.100.2
	is "an error" "$(ask udp "$red" - 198.51.100.2:9)" refused
	hold l udp "$red" 10.0.0.2:4400
	hold s udp "$server" 198.51.100.2:7000
	agent tell s "$(say l 198.51.100.2:80)" hello >/dev/null
	is "heard" "$(hear l)" "198.51.100.2:7000 hello"
}

a_forwarded_port_from_outside_of_the_vrf() {
	configure policy add dnat --dst 198.51.100.1 --proto tcp --dport 8080 --to 10.0.0.2:80
	is "TCP" "$(ask tcp "$server" 198.51.100.2:5000 198.51.100.1:8080)" 198.51.100.2:5000
}

modprobe -q vrf 2>/dev/null
start_agent
setup_ns red blue redsrv bluesrv server gw
ip -n "$gw" link add red type vrf table 10 2>/dev/null || skip_all "no VRF"
NOTES[$gw]+='link add blue type vrf table 20
link set red up
link set blue up
'
cable "$red" eth0 10.0.0.2/24 "$gw" lanr -
cable "$blue" eth0 10.0.0.2/24 "$gw" lanb -
cable "$redsrv" eth0 192.0.2.2/24 "$gw" wanr -
cable "$bluesrv" eth0 192.0.2.2/24 "$gw" wanb -
cable "$server" eth0 198.51.100.2/24 "$gw" wan0 198.51.100.1/24
for one in lanr:red:10.0.0.1 lanb:blue:10.0.0.1 wanr:red:192.0.2.1 wanb:blue:192.0.2.1; do
	IFS=: read -r dev vrf addr <<<"$one"
	NOTES[$gw]+="link set $dev master $vrf"$'\n'"addr add $addr/24 dev $dev"$'\n'
done
route "$red" default via 10.0.0.1
route "$blue" default via 10.0.0.1
forwarding "$gw"
apply
agent sysctl "$gw" net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan0.rp_filter=0 net.ipv4.conf.lanr.rp_filter=0 >/dev/null
for one in "$redsrv" "$bluesrv"; do
	serve udp "$one" 192.0.2.2:80
	serve tcp "$one" 192.0.2.2:80
done
serve udp "$server" 198.51.100.2:80
serve tcp "$server" 198.51.100.2:80
serve tcp "$red" 10.0.0.2:80
serve tcp "$blue" 10.0.0.2:80
tests_run
