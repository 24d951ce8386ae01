# SPDX-License-Identifier: GPL-2.0
# Sourced by run: programs of the kernel's own selftests, unchanged, for tests that run them in the guest.
# shellcheck shell=bash disable=SC2154 # run sets the variables

# add_kselftest NAME FILE: compiles it once; the guest has it in /fastnat/kselftest, if the kernel's tree has it.
# NAME may begin with a folder.
add_kselftest() {
	local folder=$kernel/tree/tools/testing/selftests source program
	source=$folder/$2
	[[ -r $source ]] || return 0
	program=$CACHE/vm/${1##*/}-$(sha256sum <"$source" | cut -c1-10)
	if [[ ! -x $program ]]; then
		"$rig/in-sysroot" gcc -O2 -I "$folder" -o "$program.$$" "$source"
		mv "$program.$$" "$program"
	fi
	install -D -m 755 "$program" "$work/root/fastnat/kselftest/$1"
}

# The scripts about networks, which find each other by their places: in /fastnat/kselftest/net.
add_kselftest_scripts() {
	local folder=$kernel/tree/tools/testing/selftests/net
	[[ -r $folder/lib.sh ]] || return 0
	mkdir -p "$work/root/fastnat/kselftest"
	(cd "$folder/.." && cp --parents -t "$work/root/fastnat/kselftest" net/{lib,pmtu}.sh net/lib/sh/*.sh net/netfilter/*.sh)
}
