#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Destination NAT: a port, a range of ports one to one, and a whole address lead
# from outside to an inside host, which sees who asks; answers keep the address
# that was asked.
#
#   client            gw                      server (asks)
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#   (serves)            203.0.113.9

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	one_port_leads_inside
	a_file_comes_out_whole
	the_port_may_stay
	a_range_maps_one_to_one
	a_range_of_another_length_is_refused
	an_address_leads_inside_whole
	other_ports_stay_with_the_gateway
	flow_list_says_so
	no_dnat_exempts
	a_flush_of_the_source_alone_leaks_no_inside_address
	nor_does_it_show_who_asks_from_outside
)

one_port_leads_inside() {
	is "before" "$(ask tcp "$server" - 192.0.2.1:8080)" refused
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080 --to 10.0.0.2:80
	like "inside host saw" "$(ask tcp "$server" 192.0.2.2:5000 192.0.2.1:8080)" '^192\.0\.2\.2:5000$'
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 8080 --to 10.0.0.2:53
	# say() also checks that the answer comes from the address that was asked.
	hold u udp "$server" 192.0.2.2:5000
	is "inside host saw" "$(say u 192.0.2.1:8080)" 192.0.2.2:5000
}

a_file_comes_out_whole() {
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8081 --to 10.0.0.2:81
	head -c 1M /dev/urandom >"$TMP/file"
	spawn "$client" socat -U TCP4-LISTEN:81,reuseaddr OPEN:"$TMP/file"
	comes_true "file server" 5 listening "$client" 81
	works "download" at "$server" timeout 15 socat -u TCP4:192.0.2.1:8081 OPEN:"$TMP/copy",creat
	works "sameness" cmp "$TMP/file" "$TMP/copy"
}

the_port_may_stay() {
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 53 --to 10.0.0.2
	is "inside host saw" "$(ask udp "$server" 192.0.2.2:5001 192.0.2.1:53)" 192.0.2.2:5001
}

a_range_maps_one_to_one() {
	local port
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 7000-7003 --to 10.0.0.2:6000-6003
	for port in 0 1 3; do
		is "port 700$port" "$(ask udp "$server" "192.0.2.2:510$port" "192.0.2.1:700$port")" "192.0.2.2:510$port"
		is "heard on 600$port" "$(heard udp "$client" "600$port")" "192.0.2.2:510$port"
	done
	is "beyond the range" "$(ask udp "$server" - 192.0.2.1:7004)" refused
}

a_range_of_another_length_is_refused() {
	refuses "four ports onto three" fn policy add dnat --dst 192.0.2.1 --proto udp --dport 7100-7103 --to 10.0.0.2:6000-6002
}

an_address_leads_inside_whole() {
	configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2
	is "TCP" "$(ask tcp "$server" 192.0.2.2:5200 203.0.113.9:80)" 192.0.2.2:5200
	is "UDP" "$(ask udp "$server" 192.0.2.2:5200 203.0.113.9:6001)" 192.0.2.2:5200
	works "ping" at "$server" ping -qc1 -W5 203.0.113.9
}

other_ports_stay_with_the_gateway() {
	serve udp "$gw" 192.0.2.1:9000
	is "the gateway's own service" "$(ask udp "$server" 192.0.2.2:5300 192.0.2.1:9000)" 192.0.2.2:5300
	works "ping" at "$server" ping -qc1 -W5 192.0.2.1
}

flow_list_says_so() {
	is "flow" "$(fn --json flow list --proto udp | jq -c '.[] | select(.orig."dst-port" == 7001)
		| [.orig."dst-addr", .translated."src-addr", .translated."src-port", .translated."dst-addr", .translated."dst-port"]')" \
		'["192.0.2.1","192.0.2.2",5101,"10.0.0.2",6001]'
}

no_dnat_exempts() {
	configure policy add no-dnat --priority 10 --src 192.0.2.3 --dst 192.0.2.1
	is "the exempted source" "$(ask tcp "$server" 192.0.2.3:0 192.0.2.1:8080)" refused
	is "others" "$(ask tcp "$server" 192.0.2.2:5400 192.0.2.1:8080)" 192.0.2.2:5400
	at_least "pass-exempt" "$(counter pass-exempt)" 1
}

# both_ends NS SRC DST SERVER PORT SEEN: a flow translated at both ends loses its source, again and
# again; the next packet gets a new one, and the server never sees SRC.
both_ends() {
	hold both udp "$1" "$2"
	like "server saw" "$(say both "$3")" "^$6:"
	for _ in 1 2 3; do
		works "flush" fn flow flush --policy "$id"
		is "flows of the source" "$(fn --json flow list | jq "[.[] | select(.policy == $id)] | length")" 0
		like "server saw after the flush" "$(say both "$3")" "^$6:"
	done
	unlike "server heard" "$(heard udp "$4" "$5")" "${2%:*}"
}

a_flush_of_the_source_alone_leaks_no_inside_address() {
	local id
	configure policy add dnat --dst 203.0.113.8 --proto udp --dport 5353 --to 192.0.2.2:53
	id=$(fn --json policy add masquerade --out wan0 | jq .id)
	capture leak "$server" eth0 'net 10.0.0.0/8'
	both_ends "$client" 10.0.0.2:4000 203.0.113.8:5353 "$server" 53 '192\.0\.2\.1'
	is "what the server saw of the inside" "$(captured leak)" ""
}

nor_does_it_show_who_asks_from_outside() {
	local id
	id=$(fn --json policy add masquerade --out lan0 | jq .id)
	heard udp "$client" 6001 >/dev/null
	both_ends "$server" 192.0.2.2:5500 192.0.2.1:7001 "$client" 6001 '10\.0\.0\.1'
}

gateway_topology
serve udp "$server" 192.0.2.2:53
serve tcp "$client" 10.0.0.2:80
for port in 53 6000 6001 6002 6003 6004; do
	serve udp "$client" "10.0.0.2:$port"
done
tests_run
