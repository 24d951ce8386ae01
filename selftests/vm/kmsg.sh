# SPDX-License-Identifier: GPL-2.0
# Sourced in the guest: has the kernel complained since the mark?
# shellcheck shell=bash

KMSG_BAD='WARNING: |BUG: |BUG at |Oops|KASAN|UBSAN|general protection|INFO: (task|rcu|trying|possible)|refcount_t|unregister_netdevice|suspicious RCU|Call Trace|panicked at|blocked for more|soft lockup|detected stall|suspected memory leak|leaked|Objects remaining|ODEBUG|locking correctness validator|held lock|ref_tracker'
KMSG_ALLOWED_TAINT=$((1 << 12 | 1 << 13 | 1 << 18)) # out of tree, unsigned, KUnit has run

kmsg_mark() {
	KMSG_TAINT=$(cat /proc/sys/kernel/tainted)
	KMSG_SEQ=$(date +%s%N)
	echo "fastnat-test mark $KMSG_SEQ" >/dev/kmsg
}

kmsg_since() { dmesg | sed "1,/fastnat-test mark $KMSG_SEQ/d"; }

# Prints the kernel's words and fails if there is something to complain about.
kmsg_bad() {
	local taint
	taint=$(($(cat /proc/sys/kernel/tainted) & ~KMSG_ALLOWED_TAINT & ~KMSG_TAINT))
	if ((taint)) || kmsg_since | grep -qE "$KMSG_BAD"; then
		echo "kernel log (taint $taint):"
		kmsg_since | tail -n 150
		return 1
	fi
}
