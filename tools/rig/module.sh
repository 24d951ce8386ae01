#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds fastnat.ko: in the sysroot for the chosen Debian kernel, or on the host with KDIR=<kernel tree>.
#
#   module.sh [SOURCE]    SOURCE: another folder with the module's sources
#
# V=1 shows the commands; LLVM=1, CLIPPY=1, C=1 and W=1 are handed to the kernel's build.
set -euo pipefail

# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"

source=${1:-$REPO}
unset MAKEFLAGS MFLAGS MAKELEVEL
args=(-j"${JOBS:-$(nproc)}" "M=$source" modules)
for name in LLVM CLIPPY C W V; do
	[[ -z ${!name:-} ]] || args+=("$name=${!name}")
done
[[ ${V:-0} != 0 ]] || args+=(-s --no-print-directory)
[[ -r $source/Kbuild ]] || die "no Kbuild in $source"

# The stock kernel's vmlinux is not at hand, so this is expected each time.
filter() { grep -v --line-buffered '^Skipping BTF generation' || true; }

# Two builds in one folder would delete each other's files.
mkdir -p "$CACHE/log"
exec 8<"$source/Kbuild"
flock -n 8 || { echo "waiting for another build of the module…" >&2; flock 8; }

if [[ -n ${KDIR:-} ]]; then
	start=$SECONDS
	make -C "$KDIR" "${args[@]}" 2>&1 | filter
	release=$(cat "$KDIR/include/config/kernel.release")
else
	kernel=$("$REPO/tools/rig/kernel.sh")
	release=$(cat "$kernel/release")
	start=$SECONDS
	FASTNAT_BIND=$source "$REPO/tools/rig/in-sysroot" nice make -C "$kernel/tree" "${args[@]}" 2>&1 | filter
fi
printf 'fastnat.ko for Linux %s: %d kB, %d s\n' "$release" \
	$(($(stat -c %s "$source/fastnat.ko") / 1024)) $((SECONDS - start))
