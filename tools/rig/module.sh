#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds fastnat.ko: in the sysroot for the chosen Debian kernel, or on the host with KDIR=<kernel tree>.
#
#   module.sh [--kernel uml|x86] [SOURCE]    SOURCE: another folder with the module's sources
#
# For a debug kernel it is built from a copy in build/uml or build/x86, so that the objects for the stock
# kernel stay. (The kernel's own MO= wants a source folder without objects.)
# V=1 shows the commands; LLVM=1, CLIPPY=1, C=1 and W=1 are handed to the kernel's build.
set -euo pipefail

# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"

debug=''
[[ ${1:-} != --kernel ]] || { debug=$2; shift 2; }
source=${1:-$REPO} place=''
unset MAKEFLAGS MFLAGS MAKELEVEL
[[ -r $source/Kbuild ]] || die "no Kbuild in $source"
if [[ $debug ]]; then
	unset KDIR
	kernel=$("$REPO/tools/rig/debug-kernel.sh" "$debug")
	export LLVM=1
	place=$source/build/$debug
	mkdir -p "$place"
fi

# Two builds in one folder would delete each other's files.
mkdir -p "$CACHE/log"
exec 8<"${place:-$source/Kbuild}"
flock -n 8 || { echo "waiting for another build of the module…" >&2; flock 8; }

if [[ $place ]]; then
	(cd "$source" && FASTNAT_BIND=$source "$REPO/tools/rig/in-sysroot" rsync -aR --delete --exclude-from="$REPO/.gitignore" \
		Kbuild include rust tools/Cargo.toml "$place/")
	source=$place
fi
args=(-j"${JOBS:-$(nproc)}" "M=$source" modules)
[[ $debug != uml ]] || args+=(ARCH=um)
for name in LLVM CLIPPY C W V; do
	[[ -z ${!name:-} ]] || args+=("$name=${!name}")
done
[[ ${V:-0} != 0 ]] || args+=(-s --no-print-directory)

# The stock kernel's vmlinux is not at hand, so this is expected each time.
filter() { grep -v --line-buffered '^Skipping BTF generation' || true; }

if [[ -n ${KDIR:-} ]]; then
	start=$SECONDS
	make -C "$KDIR" "${args[@]}" 2>&1 | filter
	release=$(cat "$KDIR/include/config/kernel.release")
else
	[[ $debug ]] || kernel=$("$REPO/tools/rig/kernel.sh")
	release=$(cat "$kernel/release")
	start=$SECONDS
	FASTNAT_BIND=$source "$REPO/tools/rig/in-sysroot" nice make -C "$kernel/tree" "${args[@]}" 2>&1 | filter
fi
printf 'fastnat.ko for Linux %s: %d kB, %d s\n' "$release" \
	$(($(stat -c %s "$source/fastnat.ko") / 1024)) $((SECONDS - start))
