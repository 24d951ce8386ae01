# SPDX-License-Identifier: GPL-2.0
# Sourced by run: starts User-mode Linux, a kernel that is a program of the host.
# shellcheck shell=bash disable=SC2154,SC2034 # run sets the variables

# Its serial lines are those of start_qemu: 0 the kernel's words, 1 the output, 2 the result. They are
# pipes, since a regular file cannot be polled, at which the kernel prints a report against itself.
start_uml() {
	local memory=/dev/shm line
	# The guest's memory is a file without a name; the disk had better not hear of it.
	[[ -w $memory ]] || memory=/tmp
	for line in console output result; do mkfifo "$work/$line.pipe"; done
	cat "$work/console.pipe" >>"$work/console" &
	cat "$work/result.pipe" >>"$work/result" &
	cat "$work/output.pipe" &
	# shellcheck disable=SC2086 # words
	env -i HOME="$work" TMPDIR="$memory" "$kernel/linux" "mem=${mem}M" ncpus=1 seccomp=off "initrd=$work/initrd" \
		"uml_dir=$work/" noreboot $arguments con=null ssl=null ssl0=null,fd:5 ssl1=null,fd:6 ssl2=null,fd:7 console=ttyS0 \
		</dev/null >"$work/machine" 2>&1 5>"$work/console.pipe" 6>"$work/output.pipe" 7>"$work/result.pipe" &
	guest=$!
}
