# SPDX-License-Identifier: GPL-2.0
# Sourced in the guest: what a debug kernel looks for, and what it has found when all is over.
# shellcheck shell=bash

KMEMLEAK=/sys/kernel/debug/kmemleak

# In jiffies, as kmemleak has it; what is older than this is not ours. Both kernels have HZ=100.
checkers_begin() {
	local uptime
	read -r uptime _ </proc/uptime
	CHECKERS_BEGIN=$(((1 << 32) - 30000 + ${uptime//./}))
}

leaks() { awk -v begin="$CHECKERS_BEGIN" '/^unreferenced/ { head = $0; next } / jiffies / { ours = $NF >= begin; if (ours) print head } ours' $KMEMLEAK; }

# Prints what is wrong once the module is gone, and fails.
checkers_end() {
	local found
	[[ -e $KMEMLEAK ]] || return 0
	kmsg_mark
	[[ ! -e /sys/module/fastnat/refcnt ]] || rmmod fastnat || echo "the module cannot be unloaded"
	kmsg_bad || return 1
	# A scan passes over what is younger than five seconds, and only a second one is sure of the first's findings.
	sleep 6
	echo scan >$KMEMLEAK
	sleep 6
	echo scan >$KMEMLEAK || { echo "kmemleak is off"; return 1; }
	found=$(leaks | head -c 20000)
	[[ ! $found ]] || { printf '%s\n' "kmemleak, after the module is gone:" "$found"; return 1; }
}

has() { grep -qx "CONFIG_$1=y" /run/config; }

# One line from the running kernel: a checker that was built in may have switched itself off.
checkers_on() {
	local name on='' off=''
	[[ -e $KMEMLEAK ]] || return 0
	zcat /proc/config.gz >/run/config
	for name in UBSAN DEBUG_ATOMIC_SLEEP DEBUG_SPINLOCK DEBUG_MUTEXES DEBUG_LIST DEBUG_NET SLUB_DEBUG PREEMPT NET_NS_REFCNT_TRACKER RUST_DEBUG_ASSERTIONS RUST_OVERFLOW_CHECKS; do
		if has $name; then on+=", $name"; else off+=", $name"; fi
	done
	if dmesg | grep -q 'KernelAddressSanitizer initialized'; then on="KASAN$on"; else off+=", KASAN"; fi
	if grep -qE 'debug_locks: +1' /proc/lockdep_stats 2>/dev/null; then on+=", PROVE_LOCKING, PROVE_RCU"; else off+=", PROVE_LOCKING, PROVE_RCU"; fi
	if echo scan=off >$KMEMLEAK; then on+=", kmemleak"; else off+=", kmemleak"; fi
	if [[ -e /sys/kernel/debug/debug_objects/stats ]] && ! dmesg | grep -q 'ODEBUG: Out of memory'; then on+=", DEBUG_OBJECTS"; else off+=", DEBUG_OBJECTS"; fi
	echo "checkers of $(uname -r) on $(nproc) CPUs, on at the end: $on; off: ${off#, }"
}
