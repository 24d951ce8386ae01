# SPDX-License-Identifier: GPL-2.0
# The driver of fastnat for rfc.sh. A driver has, with its name in front:
#
#   up WORDS…           translates what leaves by wan0; WORDS are options of the NAT
#   down                as if it had never been there, settings included
#   left PROTO          seconds until the mapping that expires first does; nothing if there is none
#   timeout PROTO S     mappings expire after S seconds
#   pool PORTS RANGE…   with these outside addresses and ports (- for all), instead of the gateway's
#   blocks N ADDR…      with ports in blocks of N for each inside host
#   records FILE        what has to be kept to know who had a port, from now on
#   deterministic INSIDE ADDR…  with ports that follow from the inside address
#   owns ADDR, owner ADDR:PORT  then: its outside address, first and last port; who has it
#   limit N, rate N     mappings of each inside host, at once and new ones in a second
#   exempt ADDR         what goes there is not translated
#   sessions N          that each inside host may have, whatever its mappings
#   closing S           connections that end expire after S seconds
#   size N              of the table
#   mappings            inside and outside endpoint of each, a line each
#   made                how many there have been
#   watch FILE          its log of mappings goes there from now on, as it is by default
#   options REQUIREMENT the options by which it can meet what it does not meet without
#
# What a driver does not have, its NAT cannot do.
# shellcheck shell=bash disable=SC2154 # lib.sh has the namespaces

FASTNAT_POOL=() FASTNAT_ACTION=() FASTNAT_OPTIONS=()

fastnat_up() {
	FASTNAT_POOL=() FASTNAT_ACTION=(masquerade) FASTNAT_OPTIONS=("$@")
	fastnat_policy
}

# fastnat_policy WORDS…: more options for the policy.
fastnat_policy() {
	FASTNAT_OPTIONS+=("$@")
	unconfigure
	((${#FASTNAT_POOL[@]} == 0)) || configure pool add out "${FASTNAT_POOL[@]}"
	[[ "${FASTNAT_OPTIONS[*]}" != *"--pool parity"* ]] || configure pool add parity --parity
	configure policy add "${FASTNAT_ACTION[@]}" --out wan0 "${FASTNAT_OPTIONS[@]}"
}

fastnat_down() {
	unconfigure
	[[ ! $FASTNAT_SIZE ]] || configure config set --max-flows "$FASTNAT_SIZE"
	[[ ! $FASTNAT_CLOSING ]] || configure config set --timeout-tcp-transitory 240
	FASTNAT_SIZE='' FASTNAT_CLOSING=''
}

fastnat_left() { fn --json flow list --proto "$1" | jq 'map(.expires) | min // empty'; }
fastnat_timeout() { fastnat_policy "--timeout-$1" "$2"; }
fastnat_limit() { fastnat_policy --subscriber-bindings "$1"; }
fastnat_sessions() { fastnat_policy --subscriber-flows "$1"; }
fastnat_rate() { fastnat_policy --subscriber-rate "$1"; }
fastnat_exempt() { configure policy add no-snat --dst "$1" --priority 1; }

fastnat_pool() {
	local range
	FASTNAT_ACTION=(snat --pool out)
	[[ $1 == - ]] || FASTNAT_POOL=(--ports "$1")
	for range in "${@:2}"; do
		FASTNAT_POOL+=(--range "$range")
	done
	fastnat_policy
}

fastnat_closing() {
	FASTNAT_CLOSING=yes
	configure config set --timeout-tcp-transitory "$1"
	fastnat_policy --tcp-fin
}

fastnat_mappings() {
	fn --json binding list | jq -r '.[] | "\(."inside-addr"):\(."inside-port") \(."outside-addr"):\(."outside-port")"'
}
fastnat_made() { counter bindings-created; }
fastnat_watch() {
	"$FASTNAT" --netns "$gw" monitor >"$1" 2>&1 &
	JOBS+=($!)
}

# fastnat_own ALLOCATION ADDR…: a pool of ports that inside hosts have for themselves.
fastnat_own() {
	local range
	FASTNAT_ACTION=(snat --pool out) FASTNAT_POOL=(--allocation "$1")
	for range in "${@:2}"; do
		FASTNAT_POOL+=(--range "$range")
	done
}

fastnat_blocks() {
	fastnat_own block "${@:2}"
	FASTNAT_POOL+=(--block-size "$1")
	fastnat_policy
}
fastnat_records() {
	"$FASTNAT" --netns "$gw" monitor --blocks >"$1" 2>&1 &
	JOBS+=($!)
}
fastnat_deterministic() {
	fastnat_own deterministic "${@:2}"
	FASTNAT_POOL+=(--inside "$1")
	fastnat_policy
}
fastnat_owns() { fn --json pool map "$1" --name out | jq -r '"\(."outside-addr") \(."port-min") \(."port-max")"'; }
fastnat_owner() { fn --json pool map "$1" --name out | jq -r '."inside-addr"'; }

FASTNAT_SIZE='' FASTNAT_CLOSING=''
fastnat_size() {
	FASTNAT_SIZE=$(fn --json config show | jq '."max-flows"')
	configure config set --max-flows "$1"
}

fastnat_options() {
	case $1 in
	rfc4787_4) echo --pool parity ;;
	rfc4787_8_strict) echo --filtering address-dependent ;;
	rfc7857_transitory) echo --tcp-fin ;;
	esac
}
