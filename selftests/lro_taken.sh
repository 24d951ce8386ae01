#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fastnat is not alone: another module (selftests/lro_taken) has its callback in GRO, before fastnat comes or on
# top of it. The one is refused, by name; the other is lived with. TCP goes both ways through the gateway all the
# time, and every byte of it is compared.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	somebody_else_is_in_the_way
	once_he_is_gone_it_is_fine
	somebody_stacks_on_top
	switched_off_beneath_it
	the_module_stays_until_he_is_gone
	and_comes_back
)

OTHER=${LRO_TAKEN:-$HERE/../modules/lro_taken.ko}

seen() { cat /sys/module/lro_taken/parameters/seen; }
users() { cat /sys/module/fastnat/refcnt; }

# Is anything aggregated by fastnat, now that there is traffic?
aggregates_now() {
	observe_lro
	wait_for 5 grows
}

grows() {
	observe_lro
	((AGGREGATES > 0))
}

somebody_else_is_in_the_way() {
	local words
	works "load" insmod "$OTHER" || return
	traffic there "$client" "$server" 192.0.2.2
	words=$(fn lro set mode lro 2>&1) && fail "switched on although somebody else is there"
	like "the refusal" "$words" 'lro_taken_receive[46]? \[lro_taken\]'
	is "mode" "$(values mode "$(fn --json lro show)" | head -n1)" off
	is "users of the module" "$(users)" 0
	at_least "packets that the other saw" "$(seen)" 100
	end_traffic there "$server"
	works "unload" rmmod lro_taken
}

once_he_is_gone_it_is_fine() {
	traffic there "$client" "$server" 192.0.2.2
	lro mode lro
	aggregates_now || fail "nothing is aggregated"
	at_least "users of the module" "$(users)" 1
	end_traffic there "$server"
}

somebody_stacks_on_top() {
	local before
	traffic there "$client" "$server" 192.0.2.2
	works "load" insmod "$OTHER" || return
	aggregates_now || fail "nothing is aggregated beneath"
	before=$(seen)
	comes_true "the other sees packets" 5 sees_more_than "$before"
	end_traffic there "$server"
}

sees_more_than() { (($(seen) > $1)); }

switched_off_beneath_it() {
	local before
	traffic there "$client" "$server" 192.0.2.2
	lro mode off
	observe_lro
	before=$(seen)
	comes_true "the other sees packets" 5 sees_more_than $((before + 100))
	observe_lro
	is "aggregates" "$AGGREGATES" 0
	lro mode lro
	aggregates_now || fail "nothing is aggregated when it is on again"
	lro mode off
	end_traffic there "$server"
}

# What the other calls has to stay where it is.
the_module_stays_until_he_is_gone() {
	traffic there "$client" "$server" 192.0.2.2
	refuses "unload" rmmod fastnat
	at_least "users of the module" "$(users)" 1
	works "unload the other" rmmod lro_taken
	refuses "unload before fastnat knows" rmmod fastnat
	end_traffic there "$server"
	lro mode strict
	lro mode off
	is "users of the module" "$(users)" 0
	works "unload" rmmod fastnat
}

and_comes_back() {
	works "load" load_module || return
	translating wan0
	traffic there "$client" "$server" 192.0.2.2
	lro mode lro
	EVER[SEGMENTS]=0 EVER[AGGREGATES]=0
	aggregates_now || fail "nothing is aggregated"
	end_traffic there "$server"
	lro mode off
	is "users of the module" "$(users)" 0
}

[[ -e /sys/module/fastnat/refcnt ]] || skip_all "fastnat is not a module here"
[[ -r $OTHER ]] || skip_all "no module to be in the way: $OTHER"
trap '[[ ! -d /sys/module/lro_taken ]] || rmmod lro_taken; load_module; stop_watching; cleanup' EXIT
gateway_topology
translating wan0
wires
watch_lro
tests_run
