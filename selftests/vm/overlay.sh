# SPDX-License-Identifier: GPL-2.0
# Sourced by run: what a run adds to the VM's root, as a second cpio archive behind the first.
# shellcheck shell=bash disable=SC2154 # run sets the variables

# A file of selftests/ keeps its place, any other file is brought along, all else is a guest command.
guest_command() {
	local file
	file=$(realpath -q -- "$1" || true)
	if [[ $file == "$REPO/selftests/"* && -f $file ]]; then
		printf '%s\0' "/fastnat/${file#"$REPO/"}"
	elif [[ -f $file && $1 == */* && $file != /usr/* ]]; then
		mkdir -p "$work/root/fastnat/script"
		cp "$file" "$work/root/fastnat/script/"
		printf '%s\0' "/fastnat/script/$(basename "$file")"
	else
		printf '%s\0' "$1"
	fi
	shift
	(($# == 0)) || printf '%s\0' "$@"
}

# What "make install" puts on a machine, if it has been built.
add_installed() {
	local lib=$work/root/usr/lib/modules
	[[ -r $module && -x $REPO/tools/target/release/fastnat ]] || return 0
	mkdir -p "$lib"
	cp -al "$base/modules/$release" "$lib/"
	rm -f "$lib/$release"/modules.*.bin "$lib/$release"/modules.{dep,alias,symbols,softdep,devname,weakdep}
	MODULE=$module DESTDIR=$work/root MODDIR=/usr/lib/modules "$rig/in-sysroot" "$rig/install.sh" >/dev/null
	ln "$lib/$release/updates/fastnat.ko" "$work/root/fastnat/"
	"$rig/in-sysroot" depmod -b "$work/root/usr" "$release"
	rm -rf "$lib/$release/kernel"
}

make_overlay() {
	local root=$work/root
	mkdir -p "$root/fastnat"
	guest_command "$@" >"$root/fastnat/command"
	cp -r "$REPO/selftests" "$root/fastnat/"
	[[ ! -d $REPO/Documentation/netlink ]] || (cd "$REPO" && cp -r --parents -t "$root/fastnat" Documentation/netlink)
	install -m 755 "$here/init" "$root/init"
	add_installed
	add_module lro_taken
	add_kselftest gro net/lib/gro.c
	add_kselftest net/netfilter/conntrack_reverse_clash net/netfilter/conntrack_reverse_clash.c
	add_kselftest_scripts
	# shellcheck disable=SC2016 # expands inside
	"$rig/in-sysroot" bash -c 'cd "$1" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0' cpio "$root" >"$work/overlay.cpio"
	cat "$base/base.cpio" "$work/overlay.cpio" >"$work/initrd"
	rm -rf "$root" "$work/overlay.cpio"
}
