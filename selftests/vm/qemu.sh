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
	local node part full=$numa staffed=$numa plugs=''
	[[ $plug == no ]] || { full=$((numa - 2)) staffed=$((numa - 1)) plugs=M,slots=4,maxmem=$((mem + 1024))M; }
	((smp >= staffed)) || smp=$staffed
	mem=$((mem / full * full))
	args+=(-m "$mem$plugs" -smp "$smp")
	((numa > 1)) || return 0
	for ((node = 0; node < numa; node++)); do
		part=node,nodeid=$node
		((node >= staffed)) || part+=,cpus=$((node * smp / staffed))-$(((node + 1) * smp / staffed - 1))
		if ((node < full)); then
			args+=(-object "memory-backend-ram,id=m$node,size=$((mem / full))M")
			part+=,memdev=m$node
		fi
		args+=(-numa "$part")
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

# Two cables, a card at either end. What leaves one comes to the other in the polls of a real driver.
network() {
	local card
	[[ $nics == yes ]] || return 0
	for card in 0 1 2 3; do
		# shellcheck disable=SC2054 # commas are QEMU's
		args+=(-netdev "hubport,id=net$card,hubid=$((card / 2))"
			-device "virtio-net-pci,netdev=net$card,mac=02:00:00:00:00:${card}0,romfile=")
	done
}

# What an emulated processor counts is the host's counter. A slow kernel on a busy host gets its rate wrong,
# once by a factor of 24, and then all its clocks are; so it is told.
counter_rate() {
	local memory
	memory=$CACHE/tsc-$(uname -r)
	[[ $accel == tcg && $icount == no ]] || return 0
	if [[ ! -s $memory ]]; then
		# shellcheck disable=SC2016 # C
		"$rig/in-sysroot" bash -c 'gcc -O -x c -o "$1" - && "$1"' gcc "$work/rate" >"$memory.$$" <<-'C' || true
			#include <stdio.h>
			#include <time.h>
			#include <unistd.h>
			#include <x86intrin.h>
			/* Milliseconds and the counter, at the same moment even on a busy host. */
			static double sample(unsigned long long *count)
			{
				struct timespec t, u;
				do {
					clock_gettime(CLOCK_MONOTONIC_RAW, &t);
					*count = __rdtsc();
					clock_gettime(CLOCK_MONOTONIC_RAW, &u);
				} while (u.tv_sec != t.tv_sec || u.tv_nsec - t.tv_nsec > 5000);
				return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
			}
			int main(void)
			{
				unsigned long long first, last;
				double begin = sample(&first);
				usleep(500000);
				double end = sample(&last);
				printf("%.0f\n", (last - first) / (end - begin));
				return 0;
			}
		C
		mv "$memory.$$" "$memory"
	fi
	[[ ! -s $memory ]] || echo "tsc_early_khz=$(cat "$memory")"
}

# no5lvl: while the boot CPU is identified it seems to lack 5 levels for a moment, and an interrupt just then
# makes KASAN take all memory for wild.
start_qemu() {
	local args=()
	[[ -n $accel ]] || accel=$(choose_accel)
	machine
	# shellcheck disable=SC2054 # commas are QEMU's
	args+=(-nodefaults -no-user-config -display none -no-reboot
		-serial "file:$work/console" -chardev stdio,id=out,signal=off -serial chardev:out -serial "file:$work/result"
		-kernel "$kernel/vmlinuz" -initrd "$work/initrd"
		-append "console=ttyS0 no5lvl no_timer_check $arguments $(counter_rate) random.trust_cpu=on mitigations=off tsc=nowatchdog watchdog_thresh=60")
	monitor
	network
	"$rig/in-sysroot" qemu-system-x86_64 "${args[@]}" </dev/null 2>"$work/machine" &
	guest=$!
}
