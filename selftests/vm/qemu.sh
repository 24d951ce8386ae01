# SPDX-License-Identifier: GPL-2.0
# Sourced by run: starts QEMU, the machine for every kernel but User-mode Linux.
# shellcheck shell=bash disable=SC2154,SC2034 # run sets the variables

# /dev/kvm may exist and still boot no guest: try once a host, and remember.
choose_accel() {
	local memory
	memory=$CACHE/accel-$(uname -r)
	[[ $icount == no ]] || { echo tcg; return; }
	if [[ ! -s $memory ]]; then
		if [[ -w /dev/kvm ]] && "$here/run" --accel kvm --timeout 30 -- true >/dev/null 2>&1; then
			echo kvm >"$memory"
		else
			echo tcg >"$memory"
		fi
	fi
	cat "$memory"
}

machine() {
	case $accel in
	kvm) args+=(-accel kvm -cpu host) ;;
	*) if [[ $icount == yes ]]; then args+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off" -cpu max); smp=1
	   else args+=(-accel "tcg,thread=multi" -cpu max); fi ;;
	esac
	local node full=$numa cpus more=''
	# The guest of --plug may take another 1 GiB.
	[[ $plug == no ]] || { full=$((numa - 1)) more=M,slots=4,maxmem=$((mem + 1024))M; }
	((smp >= numa)) || smp=$numa
	mem=$((mem / full * full))
	args+=(-m "$mem$more" -smp "$smp")
	((numa > 1)) || return 0
	for ((node = 0; node < numa; node++)); do
		cpus=$((node * smp / numa))-$(((node + 1) * smp / numa - 1))
		((node < full)) || { args+=(-numa "node,nodeid=$node,cpus=$cpus"); continue; }
		args+=(-object "memory-backend-ram,id=m$node,size=$((mem / full))M" -numa "node,nodeid=$node,memdev=m$node,cpus=$cpus")
	done
	distances
}

# Nodes lie in a row, and are the farther from each other the more there are between them.
distances() {
	local from to
	for ((from = 0; from < numa; from++)); do
		for ((to = from + 1; to < numa; to++)); do
			args+=(-numa "dist,src=$from,dst=$to,val=$((10 + 10 * (to - from)))")
		done
	done
}

# The guest's fourth serial line is connected to the monitor.
monitor() {
	[[ $plug == yes ]] || return 0
	# shellcheck disable=SC2054 # commas are QEMU's
	args+=(-chardev "socket,id=monitor,path=$work/monitor,server=on,wait=off" -mon chardev=monitor,mode=readline
		-serial "unix:$work/monitor")
}

start_qemu() {
	local args=()
	[[ -n $accel ]] || accel=$(choose_accel)
	machine
	# shellcheck disable=SC2054 # commas are QEMU's
	args+=(-nodefaults -no-user-config -display none -no-reboot
		-serial "file:$work/console" -chardev stdio,id=out,signal=off -serial chardev:out -serial "file:$work/result"
		-kernel "$kernel/vmlinuz" -initrd "$work/initrd"
		-append "console=ttyS0 $arguments random.trust_cpu=on mitigations=off tsc=nowatchdog watchdog_thresh=60")
	monitor
	"$rig/in-sysroot" qemu-system-x86_64 "${args[@]}" </dev/null 2>"$work/machine" &
	guest=$!
}
