#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prepares the tree of a stock Debian kernel for out-of-tree Rust modules, and prints its folder.
#
#   kernel.sh [--vm]    --vm: also the kernel image and its modules, for booting
#
# KERNEL_RELEASE=<uname -r> selects a kernel; else the running one if it can be had, else the newest
# with Rust. The cloud flavour is the default: the same code, half the modules, a quicker VM.
set -euo pipefail

# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/rig/apt.sh
. "$(dirname "$0")/apt.sh"

vm=no
[[ ${1:-} != --vm ]] || vm=yes
IN=$REPO/tools/rig/in-sysroot
JOBS=${JOBS:-$(nproc)}

# fetch PKG DIR: downloads one package and unpacks it into DIR.
fetch() {
	local deb
	mkdir -p "$2"
	(cd "$APT_DIR/archives" && apt get download "$1") || return 1
	deb=$(find "$APT_DIR/archives" -name "$1_*.deb" | sort -V | tail -n1)
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$2" --no-same-owner --keep-directory-symlink || return 1
	rm -f "$deb"
}

# The header package has the config, and with it the answer whether the kernel speaks Rust.
headers() {
	local dir=$CACHE/headers/$1
	[[ ! -d $dir ]] || return 0
	rm -rf "$dir.tmp"
	fetch "linux-headers-$1" "$dir.tmp/root" || return 1
	find "$dir.tmp/root" -path "*linux-headers-$1/.config" -exec cp {} "$dir.tmp/config" \;
	find "$dir.tmp/root" -name Module.symvers -exec cp {} "$dir.tmp/" \;
	rm -rf "$dir.tmp/root"
	mv "$dir.tmp" "$dir"
}

has_rust() { headers "$1" >&2 && grep -qx CONFIG_RUST=y "$CACHE/headers/$1/config"; }

available() { apt cache pkgnames "linux-headers-" | sed -n "s/^linux-headers-\([0-9].*-$1amd64\)$/\1/p" | grep -v unsigned | sort -Vr; }

choose() {
	local release
	if apt cache show "linux-headers-$(uname -r)" >/dev/null 2>&1 && has_rust "$(uname -r)"; then
		uname -r >"$CACHE/headers/chosen-$(uname -r)"
		return
	fi
	for release in $(available cloud-); do
		has_rust "$release" || continue
		echo "$release" >"$CACHE/headers/chosen-$(uname -r)"
		return
	done
	echo "no kernel with CONFIG_RUST=y in the package lists"
	return 1
}

unpack_source() {
	local package
	package=linux-source-$(cut -d. -f1,2 <<<"$release")
	rm -rf "$dir.tmp" "$dir.src"
	fetch "$package" "$dir.src"
	mkdir -p "$dir.tmp/tree"
	find "$dir.src" -name 'linux-source-*.tar.*' -exec "$IN" tar -x -f {} -C "$dir.tmp/tree" --no-same-owner --strip-components=1 \
		--exclude='*/drivers/gpu/drm/amd/include' \;
	rm -rf "$dir.src"
}

prepare() {
	local tree=$dir.tmp/tree
	cp "$CACHE/headers/$release/config" "$tree/.config"
	# The debug information of the module is its own affair; BTF would need the kernel's vmlinux.
	"$IN" nice make -C "$tree" olddefconfig
	"$IN" nice make -C "$tree" -j"$JOBS" KERNELRELEASE="$release" modules_prepare
	[[ -e $tree/rust/libkernel.rmeta ]] || { echo "the Rust crates were not built"; return 1; }
	cp "$CACHE/headers/$release/Module.symvers" "$tree/"
	echo "$release" >"$dir.tmp/release"
	rm -rf "$dir"
	mv "$dir.tmp" "$dir"
}

boot_files() {
	rm -rf "$dir/boot.tmp"
	fetch "linux-binary-unsigned-$release" "$dir/boot.tmp" || fetch "linux-image-unsigned-$release" "$dir/boot.tmp"
	fetch "linux-modules-$release" "$dir/boot.tmp"
	find "$dir/boot.tmp" -name 'vmlinuz*' -exec cp {} "$dir/vmlinuz" \;
	# This one has modules.builtin and modules.order, which depmod and modprobe read.
	fetch "linux-base-$release" "$dir/boot.tmp" || true
	[[ -d $dir/boot.tmp/usr/lib/modules/$release ]] || cp -r "$dir/boot.tmp/lib" "$dir/boot.tmp/usr/"
	"$IN" depmod -b "$dir/boot.tmp/usr" "$release"
	mv "$dir/boot.tmp" "$dir/boot"
}

count_steps() {
	STEPS=0
	apt_lists_fresh || STEPS=1
	[[ -n $release ]] || STEPS=$((STEPS + 1))
	[[ -n $release && -d $dir ]] || STEPS=$((STEPS + 2))
	[[ $vm == no || (-n $release && -d $dir/boot) ]] || STEPS=$((STEPS + 1))
}

release=${KERNEL_RELEASE:-$(cat "$CACHE/headers/chosen-$(uname -r)" 2>/dev/null || true)}
dir=$CACHE/kernel/$release
if [[ -z $release || ! -d $dir || ($vm == yes && ! -d $dir/boot) ]]; then
	"$REPO/tools/rig/sysroot.sh" >/dev/null
	lock
	mkdir -p "$CACHE/headers" "$CACHE/kernel"
	apt_setup
	count_steps
	apt_lists_fresh || step "package lists of Debian $SUITE: 10 MB (about 10 s)" apt_update
	if [[ -z $release ]]; then
		step "the newest Debian kernel with CONFIG_RUST=y: reading header packages, 2 MB each" choose
		release=$(cat "$CACHE/headers/chosen-$(uname -r)")
		dir=$CACHE/kernel/$release
	fi
	if [[ ! -d $dir ]]; then
		headers "$release" >>"$LOG" 2>&1 || die "no header package for $release"
		grep -qx CONFIG_RUST=y "$CACHE/headers/$release/config" || die "the kernel $release is built without CONFIG_RUST=y"
		step "kernel source for $release: downloading 167 MB, unpacking to 1.4 GB (about 30 s)" unpack_source
		step "kernel tree $release: headers, scripts, Rust crates (about 2 min)" prepare
	fi
	if [[ $vm == yes && ! -d $dir/boot ]]; then
		step "kernel image and modules of $release: 60 MB (about 10 s)" boot_files
	fi
fi
echo "$dir"
