#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the Debian 13 root with every tool the project needs, once, and prints its path.
set -euo pipefail

STEPS=2
# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/rig/apt.sh
. "$(dirname "$0")/apt.sh"

PACKAGES=(
	base-files base-passwd bash coreutils dash debianutils diffutils findutils grep gzip sed tar mawk
	hostname util-linux procps libc-bin ca-certificates perl-base perl
	rustc rust-src rustfmt rust-clippy cargo bindgen
	gcc libc6-dev make flex bison bc libelf-dev libssl-dev libdw-dev zlib1g-dev pkgconf
	clang lld llvm libclang-dev sparse
	python3 python3-yaml python3-jsonschema python3-ply python3-git
	kmod cpio xz-utils zstd bzip2 pahole rsync git patch file
	shellcheck yamllint man-db
	qemu-system-x86 seabios
)

FORMAT=1 # raise it when the way the root is made changes
key=$(printf '%s\n' "$FORMAT" "$SUITE" "${PACKAGES[@]}" | sha256sum | cut -c1-10)
root=$CACHE/sysroot-$key

build() {
	rm -rf "$root.tmp"
	unpack_closure "$root.tmp" "${PACKAGES[@]}"
	in_root "$root.tmp" /sbin/ldconfig
	mv "$root.tmp" "$root"
	# Those of older package lists, unless somebody may still be using one.
	find "$CACHE" -maxdepth 1 -name 'sysroot-*' ! -path "$root" -mmin +720 -exec rm -rf {} +
}

in_root() {
	local dir=$1 user=()
	shift
	((EUID == 0)) || user=(--user --map-root-user)
	unshare "${user[@]}" --mount chroot "$dir" "$@"
}

if [[ ! -d $root ]]; then
	cat >&2 <<-EOT
		The first run downloads about 700 MB of Debian packages and Rust crates: a Debian 13 with
		compilers and QEMU, and the kernel's source, headers, image and modules. They go to
		$CACHE (5 GB); nothing is installed on this machine.
	EOT
	lock
	if [[ ! -d $root ]]; then
		apt_setup
		step "package lists of Debian $SUITE: 10 MB (about 10 s)" apt_update
		step "tools: downloading 420 MB of packages, unpacking to 1.9 GB (about 90 s)" build
	fi
fi
echo "$root"
