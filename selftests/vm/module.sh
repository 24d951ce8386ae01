# SPDX-License-Identifier: GPL-2.0
# Sourced by run: modules that only tests load, built for the guest's kernel.
# shellcheck shell=bash disable=SC2154 # run sets the variables

# add_module NAME: builds selftests/NAME once for a kernel; the guest has NAME.ko in /fastnat/modules, if
# there is a tree to build it with.
add_module() {
	local sources=$REPO/selftests/$1 made args=()
	[[ -r $kernel/tree/.config ]] || return 0
	made=$CACHE/vm/$1-$release-$(cat "$sources/Kbuild" "$sources/$1.c" "$kernel/tree/.config" | sha256sum | cut -c1-10).ko
	if [[ ! -e $made ]]; then
		mkdir "$work/module"
		cp "$sources/Kbuild" "$sources/$1.c" "$work/module/"
		[[ ! -e $kernel/linux ]] || args+=(ARCH=um)
		! grep -q '^CONFIG_CC_IS_CLANG=y' "$kernel/tree/.config" || args+=(LLVM=1)
		"$rig/in-sysroot" make -s -C "$kernel/tree" "${args[@]}" "M=$work/module" modules 2>&1 |
			{ grep -v '^Skipping BTF generation' >&2 || true; }
		cp "$work/module/$1.ko" "$made.$$"
		mv "$made.$$" "$made"
		rm -rf "$work/module"
	fi
	install -D -m 644 "$made" "$work/root/fastnat/modules/$1.ko"
}
