#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds fastnat.ko and the benchmark's own module for the performance kernel, in build/perf.
#
# They are built from copies, so that the objects for the stock kernel stay.
set -euo pipefail

rig=$(cd "$(dirname "$0")/../../tools/rig" && pwd -P)
# shellcheck source=tools/rig/lib.sh
. "$rig/lib.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
kernel=$("$rig/debug-kernel.sh" perf)
place=$REPO/build/perf
mkdir -p "$place/bench"
exec 8<"$place"
flock -n 8 || { echo "waiting for another build of the modules…" >&2; flock 8; }

kbuild() { # FOLDER
	local args=(-j"${JOBS:-$(nproc)}" ARCH=um "M=$1" modules)
	[[ ${V:-0} != 0 ]] || args+=(-s --no-print-directory)
	"$rig/in-sysroot" nice make -C "$kernel/tree" "${args[@]}"
}

cd "$REPO"
"$rig/in-sysroot" rsync -aR --delete --exclude-from=.gitignore Kbuild include rust tools/Cargo.toml "$place/"
"$rig/in-sysroot" rsync -a --delete --exclude-from=.gitignore selftests/perf/module/ "$place/bench/"
start=$SECONDS
kbuild "$place"
[[ ! -e $place/bench/Kbuild && ! -e $place/bench/Makefile ]] || kbuild "$place/bench"
printf 'fastnat.ko and fastnat_bench.ko for Linux %s: %d s\n' "$(cat "$kernel/release")" $((SECONDS - start)) >&2
