#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the module says of itself, and what the kernel says of it.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	it_says_what_it_is
	it_is_built_for_this_kernel
	it_taints_only_as_out_of_tree
	the_kernel_has_not_warned
	it_is_found_by_its_netlink_family
	it_is_loaded_when_it_is_asked_for
)

info() { modinfo -F "$1" "$file"; }

it_says_what_it_is() {
	is "licence" "$(info license)" GPL
	like "description" "$(info description)" .
	like "version" "$(info version)" '^[0-9]+\.[0-9]+'
	like "parameters" "$(info parm)" '^buckets:'
}

it_is_built_for_this_kernel() {
	is "release" "$(info vermagic | cut -d' ' -f1)" "$(uname -r)"
}

# 4096 is out of tree, 8192 is unsigned, 262144 is that KUnit has run.
it_taints_only_as_out_of_tree() {
	is "other taint" "$(($(cat /proc/sys/kernel/tainted) & ~(4096 | 8192 | 262144)))" 0
	unlike "the module's taint" "$(cat /sys/module/fastnat/taint)" '[^OE]'
}

the_kernel_has_not_warned() {
	is "warnings" "$(dmesg | grep -E 'WARNING:|BUG:|Oops|detected stall|refcount_t:|suspected memory leak' | head -n5)" ""
}

it_is_found_by_its_netlink_family() {
	like "aliases" "$(info alias)" 'net-pf-16-proto-16-family-fastnat'
}

# The kernel calls modprobe for a family that it does not know.
it_is_loaded_when_it_is_asked_for() {
	modinfo fastnat >/dev/null 2>&1 || { skip "not installed in /lib/modules"; return; }
	works "unload" modprobe -r fastnat
	works "stats" "$FASTNAT" stats
	works "module" test -d /sys/module/fastnat
}

file=$HERE/../fastnat.ko
[[ -f $file ]] || file=fastnat
modinfo "$file" >/dev/null 2>&1 || skip_all "fastnat is not a module here"
tests_run
