#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The settings of aggregation: what they are told comes back, they are of names whatever becomes
# of the devices, what is refused is said in words, and the module stays while it is needed. What
# the modes do to packets is tested elsewhere.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lro_lib.sh
. "$(dirname "$0")/lro_lib.sh"

TESTS=(
	it_is_off_by_default
	settings_come_back_as_they_were_given
	the_dashes_may_be_left_out
	a_new_entry_begins_as_the_default
	one_device_can_be_shown
	entries_are_of_names
	devices_may_leave_the_namespace
	what_is_refused_is_explained
	at_most_16_devices_have_an_entry
	who_may_not_is_told_so
	namespaces_are_independent
	a_device_without_gro_is_warned_of
	udp_is_a_feature_of_the_device
	devices_that_cannot_are_named
	udp_in_lists_is_translated
	the_module_stays_while_a_mode_is_on
	a_namespace_takes_its_modes_along
	a_namespace_leaves_no_memory_behind
)

lro() { configure lro "$@"; }

# entry JQ [dev NAME]: of what is shown, or of the one device.
entry() { fn --json lro show "${@:2}" | jq -c "$1"; }

# settings: each entry in short, the default first.
settings() { entry 'map([.device, .mode, .limit]) | .[]' | xargs; }

# says WORDS CMD…: exits with status 1 and these words.
says() {
	local words=$1 got=0
	shift
	fn "$@" >"$TMP/out" 2>"$TMP/err" || got=$?
	is "exit status of '$*'" "$got" 1
	like "'$*' says" "$(cat "$TMP/err")" "$words"
	is "'$*' prints" "$(cat "$TMP/out")" ''
}

# forget_all: no entries, and the default as it was.
forget_all() {
	local device
	for device in $(fn --json lro show | jq -r '.[].device // empty'); do
		lro del dev "$device"
	done
	lro set mode off limit 16
}

it_is_off_by_default() {
	is "shown" "$(entry 'map(del(.reasons))')" \
		'[{"mode":"off","limit":16,"segments":0,"aggregates":0,"bytes":0,"default":true}]'
	is "reasons, all zero" "$(entry '.[0].reasons | [length, add]')" '[26,0]'
	like "as text" "$(fn lro show)" 'default +off +16 +0 +0'
	is "lines of text" "$(fn lro show | wc -l)" 2
}

settings_come_back_as_they_were_given() {
	lro set --dev lan0 --mode lro --limit 8
	lro set --dev wan0 --mode strict --limit 64
	lro set --limit 2
	is "shown" "$(settings)" '[null,off,2] [lan0,lro,8] [wan0,strict,64]'
	lro set --dev lan0 --limit 9
	lro set --dev wan0 --mode off
	is "the rest stays" "$(settings)" '[null,off,2] [lan0,lro,9] [wan0,off,64]'
	is "listed" "$(fn --json lro list)" "$(fn --json lro show)"
	lro del --dev lan0
	is "one deleted" "$(settings)" '[null,off,2] [wan0,off,64]'
	forget_all
	is "all deleted" "$(settings)" '[null,off,16]'
}

the_dashes_may_be_left_out() {
	lro set dev lan0 mode lro limit 12
	lro set mode strict
	is "shown" "$(settings)" '[null,strict,16] [lan0,lro,12]'
	lro del dev lan0
	forget_all
}

a_new_entry_begins_as_the_default() {
	lro set mode strict limit 32
	lro set dev lan0 limit 7
	lro set dev wan0 mode off
	lro set mode lro limit 5
	is "shown" "$(settings)" '[null,lro,5] [lan0,strict,7] [wan0,off,32]'
	forget_all
}

one_device_can_be_shown() {
	lro set mode strict
	lro set dev lan0 mode lro
	lro set dev nosuch0 mode lro
	is "with an entry" "$(entry 'map([.device, .mode, .default])' dev lan0)" '[["lan0","lro",null]]'
	is "without" "$(entry 'map([.device, .mode, .default])' dev wan0)" '[["wan0","strict",true]]'
	is "with an entry alone" "$(entry 'map([.device, .ifindex, .gro])' dev nosuch0)" '[["nosuch0",null,null]]'
	says '^fastnat: lro show nosuch1: .*No such device' lro show dev nosuch1
	forget_all
}

# number NAME: of the device, as its entry has it.
number() { entry '.[].ifindex' dev "$1"; }

entries_are_of_names() {
	local -i round
	lro set dev dummy7 mode lro limit 3
	for ((round = 0; round < 3; round++)); do
		is "before it is there" "$(number dummy7)" null
		ip -n "$gw" link add dummy7 type dummy
		is "when it has come" "$(number dummy7)" "$(ip -n "$gw" -j link show dummy7 | jq '.[0].ifindex')"
		ip -n "$gw" link del dummy7
	done
	ip -n "$gw" link add dummy8 type dummy
	ip -n "$gw" link set dummy8 name dummy7
	isnt "renamed to it" "$(number dummy7)" null
	ip -n "$gw" link set dummy7 name dummy8
	is "renamed from it" "$(number dummy7)" null
	is "the other has none" "$(entry '.[].default' dev dummy8)" true
	is "and it is as it was" "$(settings)" '[null,off,16] [dummy7,lro,3]'
	ip -n "$gw" link del dummy8
	forget_all
}

devices_may_leave_the_namespace() {
	lro set dev dummy7 mode lro
	ip -n "$gw" link add dummy7 type dummy
	isnt "there" "$(number dummy7)" null
	ip -n "$gw" link set dummy7 netns "$client"
	is "away" "$(number dummy7)" null
	is "there it has none" "$("$FASTNAT" -n "$client" --json lro show dev dummy7 | jq -c '.[0] | [.mode, .default]')" '["off",true]'
	ip -n "$client" link set dummy7 netns "$gw"
	isnt "back" "$(number dummy7)" null
	ip -n "$gw" link del dummy7
	forget_all
}

what_is_refused_is_explained() {
	local before words
	lro set dev lan0 mode strict
	before=$(fn --json lro show)
	says 'the device has no entry \(attribute device\): ' lro del dev wan0
	says 'the device has no entry' lro del dev nosuch0
	for words in "set" "set dev lan0" "set limit 1" "set limit 65" "set limit 256" "set mode sometimes" \
		"set dev lan0 udp perhaps" "set udp on" "set dev a-name-of-16-chr mode lro" "set lan0 mode lro" \
		"del" "del lan0" "show lan0"; do
		# shellcheck disable=SC2086 # words
		fn lro $words >"$TMP/out" 2>"$TMP/err"
		is "exit status of '$words'" $? 2
		[[ -s $TMP/err && ! -s $TMP/out ]] || fail "'$words' is not explained"
	done
	is "nothing changed" "$(fn --json lro show)" "$before"
	forget_all
}

at_most_16_devices_have_an_entry() {
	local i
	for i in {1..16}; do
		lro set dev "device$i" limit "$((i + 2))" || return
	done
	says 'at most 16 devices can have an entry \(attribute device\)' lro set dev device17 mode lro
	is "shown" "$(settings)" "[null,off,16] $(for i in {1..16}; do echo "[device$i,off,$((i + 2))]"; done | xargs)"
	lro set dev device9 mode strict
	lro set mode strict
	lro del dev device9
	lro set dev device17 mode lro
	is "one for another" "$(entry 'map(.device) | [length, .[9], .[16]]')" '[17,"device10","device17"]'
	forget_all
}

who_may_not_is_told_so() {
	local args
	lro set dev lan0 limit 3
	for args in "set dev lan0 mode lro" "del dev lan0" "show"; do
		# shellcheck disable=SC2086 # words
		at "$gw" setpriv --reuid 65534 --regid 65534 --clear-groups "$FASTNAT" lro $args >/dev/null 2>"$TMP/err"
		is "exit status of '$args'" $? 4
		like "says" "$(cat "$TMP/err")" 'CAP_NET_ADMIN'
	done
	is "nothing changed" "$(settings)" '[null,off,16] [lan0,off,3]'
	works "root of its own network" unshare --user --map-root-user --net "$FASTNAT" lro set dev lo mode lro
	forget_all
}

namespaces_are_independent() {
	lro set mode lro limit 4
	lro set dev eth0 mode strict
	is "of another" "$("$FASTNAT" -n "$client" --json lro show | jq -c 'map([.mode, .limit])')" '[["off",16]]'
	works "set" "$FASTNAT" -n "$client" lro set dev eth0 mode lro limit 64
	is "of one" "$(settings)" '[null,lro,4] [eth0,strict,4]'
	forget_all
	is "of the other still" "$("$FASTNAT" -n "$client" --json lro show dev eth0 | jq -c 'map([.mode, .limit])')" '[["lro",64]]'
	works "end" "$FASTNAT" -n "$client" lro del dev eth0
}

a_device_without_gro_is_warned_of() {
	local command
	at "$gw" ethtool -K lan0 gro off
	lro set dev lan0 mode lro
	is "in JSON" "$(entry '.[].gro' dev lan0)" false
	command=$(fn lro show | sed -n 's/^warning: .*on lan0 .*: \(ethtool .*\)/\1/p')
	is "the command" "$command" "ethtool -K lan0 gro on"
	# shellcheck disable=SC2086 # words
	works "it" at "$gw" $command
	is "on" "$(entry '.[].gro' dev lan0)" true
	unlike "warned no more" "$(fn lro show)" warning
	at "$gw" ethtool -K lan0 gro off
	lro set dev lan0 mode off
	unlike "not if nothing is asked for" "$(fn lro show)" warning
	forget_all
}

# feature DEVICE: rx-gro-list, as ethtool has it.
feature() { at "$gw" ethtool -k "$1" | sed -n 's/^rx-gro-list: \([a-z]*\).*/\1/p'; }

udp_is_a_feature_of_the_device() {
	is "before" "$(feature lan0)" off
	lro set dev lan0 udp on
	is "on" "$(feature lan0) $(entry '.[].udp' dev lan0)" "on true"
	lro set dev lan0 udp on
	is "no entry for that alone" "$(settings)" '[null,off,16]'
	lro set dev lan0 udp off mode strict
	is "off" "$(feature lan0) $(entry '.[].udp' dev lan0)" "off false"
	is "with a mode" "$(settings)" '[null,off,16] [lan0,strict,16]'
	forget_all
}

devices_that_cannot_are_named() {
	says '^fastnat: lro set nosuch0: .*No such device' lro set dev nosuch0 udp on
	ip -n "$gw" link add link lan0 name lan0.7 type vlan id 7 || { skip "no VLANs"; return; }
	says "^fastnat: lro set lan0\.7: the device leaves its feature rx-gro-list off" lro set dev lan0.7 udp on
	works "off it is" fn lro set dev lan0.7 udp off
	ip -n "$gw" link del lan0.7
}

# send_at_once COUNT: datagrams of one flow; answers that come late are counted by the next call.
send_at_once() { ANSWERS=$((ANSWERS + $(agent volley stream "$1" 700))); }
are_answered() { send_at_once 0; ((ANSWERS == $1)); }

# What a burst is to netfilter: less than its packets, if it came in lists.
udp_in_lists_is_translated() {
	local seen
	configure policy add masquerade --out wan0
	serve udp "$server" 192.0.2.2:53
	gro_link "$gw" lan0 "$client" eth0
	lro set dev lan0 udp on
	hold_for "$gw" lan0 20
	at "$gw" nft -f - <<-END
		table ip seen {
			counter seen { }
			chain forwarded {
				type filter hook forward priority 0
				iifname lan0 meta l4proto udp counter name seen
			}
		}
	END
	hold stream udp "$client" 10.0.0.2:4000 192.0.2.2:53
	ANSWERS=0
	send_at_once 40
	configure config set --offload on
	send_at_once 40 # the first of them learn the route
	send_at_once 40
	comes_true "all are answered" 10 are_answered 120
	configure config set --offload off
	seen=$(at "$gw" nft -j list counter ip seen seen | jq '.nftables[] | .counter? // empty | .packets')
	at_least "packets, or lists of them" "$seen" 1
	((seen < 40)) || fail "no lists: $seen packets"
	is "the outside end of all" "$(heard udp "$server" 53 | tr ' ' '\n' | grep -vc '^192\.0\.2\.1:')" 0
	agent close stream >/dev/null
	at "$gw" nft delete table ip seen
	lro set dev lan0 udp off
	unconfigure
}

# free: nobody needs the module. Namespaces end some time after they are deleted.
free() { [[ $(cat /sys/module/fastnat/refcnt) == 0 ]]; }

unloads() {
	comes_true "nobody needs the module" 20 free
	works "unload" rmmod fastnat
	works "load" load_module
}

the_module_stays_while_a_mode_is_on() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	local setting
	for setting in "mode lro" "mode strict" "dev lan0 mode lro" "dev nosuch0 mode strict"; do
		# shellcheck disable=SC2086 # words
		lro set $setting
		like "unload with $setting" "$(rmmod fastnat 2>&1)" 'in use'
		forget_all
		unloads
	done
	lro set dev lan0 mode lro
	works "another namespace" "$FASTNAT" -n "$client" lro set mode lro
	forget_all
	like "unload with a mode in another namespace" "$(rmmod fastnat 2>&1)" 'in use'
	works "off" "$FASTNAT" -n "$client" lro set mode off
	lro set dev lan0 mode off limit 3
	unloads
	is "forgotten" "$(settings)" '[null,off,16]'
}

a_namespace_takes_its_modes_along() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	local other
	setup_ns other
	works "a mode of all" "$FASTNAT" -n "$other" lro set mode lro
	works "a mode of one" "$FASTNAT" -n "$other" lro set dev lo mode strict
	works "end" ip netns del "$other"
	unset "NAMESPACES[-1]"
	unloads
}

# Kernel memory for counters, kB.
percpu() { awk '/^Percpu:/ { print $2 }' /proc/meminfo; }

entries_of_a_namespace() {
	local i
	ip netns add "fastnat-full-$$"
	for i in {1..16}; do
		"$FASTNAT" -n "fastnat-full-$$" lro set dev "device$i" mode lro || return
	done
	ip netns del "fastnat-full-$$"
	wait_for 10 free
}

a_namespace_leaves_no_memory_behind() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	local round before more
	entries_of_a_namespace || { fail "entries"; return; }
	before=$(percpu)
	for round in {1..8}; do
		entries_of_a_namespace || { fail "entries, $round"; return; }
	done
	more=$(($(percpu) - before))
	note "counters of 8 namespaces: $more kB more than before"
	((more < 24)) || fail "$more kB more than before"
}

gateway_topology
tests_run
