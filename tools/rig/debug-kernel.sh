#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a kernel of our own, once, and prints its folder.
#
#   debug-kernel.sh uml|x86    with the checkers of tools/rig/debug; uml: a program that is a kernel; x86: for QEMU
#   debug-kernel.sh perf       without any, for measurements (tools/rig/perf): uml with one CPU
#
# The source is that of the stock kernel. The folder is laid out as kernel.sh's is, so that what takes the
# one takes the other; a build that was interrupted goes on where it stopped.
set -euo pipefail

# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"

FORMAT=1 # raise it when the way the kernel is made changes
kind=${1:-} what=debug
fragments=("$REPO/tools/rig/debug/common.config" "$REPO/tools/rig/debug/$kind.config")
case $kind in
perf) what=perf fragments=("$REPO/tools/rig/perf/uml.config") base=(defconfig) image=linux targets=(linux modules) make_args=(ARCH=um) minutes=7 ;;
uml) base=(defconfig) image=linux targets=(linux modules) make_args=(ARCH=um LLVM=1) minutes=12 ;;
x86) base=(x86_64_defconfig kvm_guest.config) image=arch/x86/boot/bzImage targets=(bzImage modules) make_args=(LLVM=1) minutes=20 ;;
*) die "usage: debug-kernel.sh uml|x86|perf" ;;
esac
IN=$REPO/tools/rig/in-sysroot

stock=$("$REPO/tools/rig/kernel.sh")
key=$(cat "${fragments[@]}" - <<<"$FORMAT $(cat "$stock/release")" | sha256sum | cut -c1-8)
dir=$CACHE/$what/$kind-$key
tree=$dir/tree

kbuild() {
	"$IN" env -u MAKEFLAGS nice make -C "$tree" -j"${JOBS:-$(nproc)}" "${make_args[@]}" "LOCALVERSION=-$kind-$key" "$@"
}

# Two mistakes of User-mode Linux. With frame pointers, its signal return pushes one first and returns to
# nowhere; that is seccomp mode, without which there is one CPU. And what clang puts in .lbss lies behind
# what kmemleak takes for the end of all variables.
mend_uml() {
	sed -i 's/^CFLAGS_stub.o := .*/& -fomit-frame-pointer/' "$tree/arch/um/kernel/skas/Makefile"
	sed -i 's/^  BSS(0)$/&\n  .lbss : { *(.lbss .lbss.*) }/' "$tree/arch/um/kernel/uml.lds.S"
}

# No objects, and no code of what the configurations leave out: half of the source.
copy_source() {
	rm -rf "$tree"
	mkdir -p "$tree"
	"$IN" rsync -a --include='Kconfig*' --include='Makefile*' --include='Kbuild*' --include='*/' --include='/Documentation/netlink/**' --exclude='*.'{o,a,ko,so,cmd,rmeta} \
		--exclude='/arch/'{alpha,arc,arm,arm64,csky,hexagon,loongarch,m68k,microblaze,mips,nios2,openrisc,parisc,powerpc,riscv,s390,sh,sparc,xtensa}'/**' \
		--exclude='/drivers/'{gpu,media,infiniband,staging,scsi}'/**' --exclude='/drivers/net/'{ethernet,wireless}'/**' \
		--exclude='/sound/**' --exclude='/tools/'{testing,perf}'/**' --exclude='/Documentation/**' \
		"$stock/tree/" "$tree/"
	[[ $image != linux ]] || mend_uml
	kbuild mrproper
	touch "$dir/copied"
}

# A wish that Kconfig did not grant is a checker that is silently missing.
configure() {
	local line name want got missing=0
	kbuild "${base[@]}"
	"$IN" env -C "$tree" "${make_args[@]}" scripts/kconfig/merge_config.sh -m .config "${fragments[@]}"
	kbuild olddefconfig
	while IFS= read -r line; do
		[[ $line == CONFIG_* ]] || continue
		name=${line%%=*} want=${line#*=}
		got=$(sed -n "s/^$name=//p" "$tree/.config")
		[[ ${got:-n} == "$want" ]] || { echo "$name: wanted $want, got ${got:-n}"; missing=1; }
	done < <(cat "${fragments[@]}")
	return "$missing"
}

build() { kbuild "${targets[@]}"; }

# What modules are built against stays; the objects are 1 GB.
collect() {
	local release
	release=$(cat "$tree/include/config/kernel.release")
	rm -rf "${dir:?}/boot"
	kbuild INSTALL_MOD_PATH="$dir/boot/usr" modules_install
	cp "$tree/$image" "$dir/$([[ $image == linux ]] && echo linux || echo vmlinuz)"
	find "$tree" \( -path "$tree/scripts" -o -path "$tree/tools" -o -path "$tree/rust" \) -prune -o \
		\( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name 'vmlinux*' -o -name linux -type f \) -exec rm -f {} +
	echo "$release" >"$dir/release.tmp"
	mv "$dir/release.tmp" "$dir/release"
	# Those of older configurations, unless somebody may still be using one.
	find "$CACHE/$what" -maxdepth 1 -name "$kind-*" ! -path "$dir" -mmin +720 -exec rm -rf {} +
}

if [[ ! -e $dir/release ]]; then
	"$REPO/tools/rig/sysroot.sh" >/dev/null
	lock "$what"
	STEPS=3
	[[ -e $dir/copied ]] || STEPS=4
	if [[ ! -e $dir/release ]]; then
		mkdir -p "$dir"
		[[ -e $dir/copied ]] || step "$what kernel $kind: copying the source (about 30 s)" copy_source
		step "$what kernel $kind: configuration (about 30 s)" configure
		step "$what kernel $kind: compiling (about $minutes min on two cores)" build
		step "$what kernel $kind: modules (about 30 s)" collect
	fi
fi
echo "$dir"
