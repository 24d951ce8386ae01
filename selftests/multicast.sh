#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Multicast is not fastnat's: a source keeps its address, groups are joined and left, and no policy takes it,
# however much it is about.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	from_outside_to_inside
	from_inside_to_outside
	membership_passes
	the_gateways_own
	the_exposed_host_gets_none_of_it
	unicast_meanwhile
)

GROUP=239.1.2.3

# member NAME NS ADDR: a socket that is member of the group.
member() {
	hold "$1" udp "$2" "$GROUP:7000"
	is "membership" "$(agent join "$1" "$GROUP" "$3")" ok
}

# As television comes.
from_outside_to_inside() {
	member in "$client" 10.0.0.2
	hold tv udp "$server" 192.0.2.2:6000
	is "settings" "$(agent set tv ttl-multicast 8)" ok
	is "before the route" "$(no_route in tv)" timeout
	multicast add wan0 192.0.2.2 "$GROUP" lan0
	is "sent" "$(agent tell tv "$GROUP:7000" film)" ok
	is "client heard" "$(hear in)" "192.0.2.2:6000 film"
	is "flows" "$(flows)" 0
}

# The control: it is the gateway that routes it.
no_route() {
	agent tell "$2" "$GROUP:7000" nothing >/dev/null
	silent hear "$1"
}

# A policy that masquerades all that leaves by wan0 would say something of unicast.
from_inside_to_outside() {
	member out "$server" 192.0.2.2
	hold camera udp "$client" 10.0.0.2:6001
	is "settings" "$(agent set camera ttl-multicast 8)" ok
	is "settings" "$(agent set camera loop-multicast 0)" ok
	multicast add lan0 10.0.0.2 "$GROUP" wan0
	is "sent" "$(agent tell camera "$GROUP:7000" picture)" ok
	is "server heard" "$(hear out)" "10.0.0.2:6001 picture"
	is "sent" "$(agent tell camera "$GROUP:7000" "$(printf '%02000d' 7)")" ok
	like "a large one" "$(hear out)" "^10\.0\.0\.2:6001 0+7"
	is "flows" "$(flows)" 0
	is "drops" "$(counter drop-protocol) $(counter drop-fragment)" "0 0"
}

# IGMP to 224.0.0.22, from either side, and of the gateway itself by wan0, as IGMP proxies send it.
membership_passes() {
	capture igmp "$server" eth0 'igmp and src host 192.0.2.1'
	hold proxy udp "$gw" "$GROUP:7001"
	is "membership" "$(agent join proxy "$GROUP" 192.0.2.1)" ok
	comes_true "the server has heard" 5 reported
	like "report" "$(captured igmp)" '192\.0\.2\.1 > 224\.0\.0\.22: igmp v3 report'
	agent close proxy >/dev/null
}

reported() { tcpdump -Z root -nnr "$CAPTURE_FILE" 2>/dev/null | grep -q igmp; }

the_gateways_own() {
	hold own udp "$gw" 192.0.2.1:6002
	is "settings" "$(agent set own ttl-multicast 8)" ok
	is "interface" "$(agent sender own 192.0.2.1)" ok
	is "sent" "$(agent tell own "$GROUP:7000" news)" ok
	is "server heard" "$(hear out)" "192.0.2.1:6002 news"
}

# All of wan0 leads inside, but groups.
the_exposed_host_gets_none_of_it() {
	local id
	id=$(fn --json policy add dnat --in wan0 --to 10.0.0.2 | jq .id)
	is "sent" "$(agent tell tv "$GROUP:7000" next)" ok
	is "client heard, as member" "$(hear in)" "192.0.2.2:6000 next"
	is "sent to a group that nobody is in" "$(agent tell tv 239.1.2.99:7000 others)" ok
	is "unicast behind it" "$(ask udp "$server" 192.0.2.2:6003 192.0.2.1:7002)" 192.0.2.2:6003
	is "flows but that" "$(flows)" 1
	works "delete" fn policy del "$id"
}

unicast_meanwhile() {
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
}

# multicast add|remove WORDS…: to the daemon that routes.
multicast() { works "smcroutectl $*" at "$gw" smcroutectl -u "$TMP/smcroute" "$@"; }

type -P smcrouted >/dev/null || skip_all "no smcroute"
gateway_topology
[[ -e /proc/net/ip_mr_vif ]] || skip_all "no multicast routing"
for net in "$client" "$server" "$gw"; do
	ip -n "$net" route replace 224.0.0.0/4 dev "$([[ $net == "$gw" ]] && echo wan0 || echo eth0)"
done
configure policy add masquerade --out wan0
configure config set --offload on
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
serve udp "$client" 10.0.0.2:7002
spawn "$gw" smcrouted -n -f /dev/null -P "$TMP/smcroute.pid" -u "$TMP/smcroute"
comes_true "smcroute" 10 at "$gw" smcroutectl -u "$TMP/smcroute" show
tests_run
