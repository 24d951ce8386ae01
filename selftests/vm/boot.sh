# SPDX-License-Identifier: GPL-2.0
# Sourced by run: starts the guest, waits for it with a time limit, and judges the outcome.
# shellcheck shell=bash disable=SC2154,SC2034 # run sets the variables

boot() {
	local start=$SECONDS
	# A word with a capital and a "=" is a variable of init.
	local arguments="loglevel=5 panic=-1 kasan_multi_shot rcupdate.rcu_cpu_stall_timeout=$((slow > 1 ? 300 : 120)) FASTNAT_SLOW=$slow"
	: >"$work/console"
	: >"$work/result"
	: >"$work/machine"
	if [[ -e $kernel/linux ]]; then start_uml; else start_qemu; fi
	while kill -0 "$guest" 2>/dev/null; do
		((SECONDS - start < limit)) || { report "no end after $limit s"; exit 124; }
		sleep 0.1
	done
	wait "$guest" || true
	guest=''
	wait # for those who read its lines
	judge
}

report() {
	printf '# vm: %s; the last words of its kernel:\n' "$1"
	cat "$work/machine" "$work/console" | tail -n "${2:-40}" | tr -d '\r' | sed 's/^/# /'
}

judge() {
	local word status kmsg
	if [[ $(tail -n1 "$work/result") != end ]]; then
		report "the guest died"
		exit 125
	fi
	read -r word status kmsg <"$work/result"
	[[ $word == status ]] || exit 125
	sed '1d;$d;s/^/# /' "$work/result"
	((status || !kmsg)) || status=125
	exit "$status"
}
