# SPDX-License-Identifier: GPL-2.0
# Sourced by run: starts User-mode Linux, a kernel that is a program of the host.
# shellcheck shell=bash disable=SC2154,SC2034 # run sets the variables

# Its serial lines are those of start_qemu: 0 the kernel's words, 1 the output, 2 the result. Both ends of
# each are pipes: what cannot be polled, such as a file, makes the kernel print a report against itself.
start_uml() {
	local memory=${FASTNAT_UML_MEMORY:-/dev/shm} line
	# The guest's memory is a file without a name; the disk had better not hear of it.
	[[ -w $memory ]] || memory=/tmp
	for line in silence console output result; do mkfifo "$work/$line.pipe"; done
	cat "$work/console.pipe" >>"$work/console" &
	cat "$work/result.pipe" >>"$work/result" &
	cat "$work/output.pipe" &
	# shellcheck disable=SC2086 # words
	env -i HOME="$work" TMPDIR="$memory" "$kernel/linux" "mem=${mem}M" "ncpus=$smp" seccomp=on "initrd=$work/initrd" \
		"uml_dir=$work/" noreboot $arguments con=null ssl=null ssl0=fd:3,fd:5 ssl1=fd:4,fd:6 ssl2=fd:8,fd:7 console=ttyS0 \
		3<>"$work/silence.pipe" 4<>"$work/silence.pipe" 8<>"$work/silence.pipe" \
		5>"$work/console.pipe" 6>"$work/output.pipe" 7>"$work/result.pipe" </dev/null >"$work/machine" 2>&1 &
	guest=$!
}
