#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the packet source and sink for the stock kernel, in its folder, whence the VM takes it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
rig=$here/../../tools/rig
# shellcheck source=tools/rig/lib.sh
. "$rig/lib.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
kernel=$("$rig/kernel.sh")
# Two builds in one folder would delete each other's files.
exec 8<"$here/module/Kbuild"
flock -n 8 || { echo "waiting for another build of fastnat_bench…" >&2; flock 8; }
"$rig/in-sysroot" nice make -s -C "$kernel/tree" -j"${JOBS:-$(nproc)}" "M=$here/module" W=1 modules 2>&1 |
	{ grep -v '^Skipping BTF generation' >&2 || true; }
[[ -r $here/module/fastnat_bench.ko ]] || die "fastnat_bench was not built"
