#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds fastnat.ko and the benchmark's own modules for the performance kernel, in build/perf.
#
# They are built from copies, so that the objects for the stock kernel stay.
set -euo pipefail

rig=$(cd "$(dirname "$0")/../../tools/rig" && pwd -P)
# shellcheck source=tools/rig/lib.sh
. "$rig/lib.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
kernel=$("$rig/debug-kernel.sh" perf)
place=$REPO/build/perf
mkdir -p "$place/bench" "$place/clock"
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
"$rig/in-sysroot" rsync -a --delete --exclude-from=.gitignore selftests/perf/clock/ "$place/clock/"
start=$SECONDS
kbuild "$place"
kbuild "$place/bench"
kbuild "$place/clock"
printf 'fastnat.ko and what measures it, for Linux %s: %d s\n' "$(cat "$kernel/release")" $((SECONDS - start)) >&2
