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

add_module() {
	local ko=$REPO/fastnat.ko lib=$work/root/usr/lib/modules
	[[ -r $ko ]] || return 0
	mkdir -p "$lib"
	"$rig/in-sysroot" strip --strip-debug -o "$work/root/fastnat/fastnat.ko" "$ko"
	cp -al "$base/modules/$release" "$lib/"
	rm -f "$lib/$release"/modules.*.bin "$lib/$release"/modules.{dep,alias,symbols,softdep,devname,weakdep}
	mkdir -p "$lib/$release/updates"
	ln "$work/root/fastnat/fastnat.ko" "$lib/$release/updates/"
	"$rig/in-sysroot" depmod -b "$work/root/usr" "$release"
	rm -rf "$lib/$release/kernel"
}

add_cli() {
	local cli
	for cli in "$REPO/tools/target/release/fastnat" "$REPO/tools/target/debug/fastnat"; do
		[[ -x $cli ]] || continue
		install -D -m 755 "$cli" "$work/root/usr/bin/fastnat"
		return
	done
}

make_overlay() {
	local root=$work/root
	mkdir -p "$root/fastnat"
	guest_command "$@" >"$root/fastnat/command"
	cp -r "$REPO/selftests" "$root/fastnat/"
	[[ ! -d $REPO/Documentation/netlink ]] || (cd "$REPO" && cp -r --parents -t "$root/fastnat" Documentation/netlink)
	install -m 755 "$here/init" "$root/init"
	add_module
	add_cli
	# shellcheck disable=SC2016 # expands inside
	"$rig/in-sysroot" bash -c 'cd "$1" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0' cpio "$root" >"$work/overlay.cpio"
	cat "$base/base.cpio" "$work/overlay.cpio" >"$work/initrd"
	rm -rf "$root" "$work/overlay.cpio"
}
