#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the command-line tool, in the sysroot (on the host if KDIR is given).
set -euo pipefail

STEPS=1
# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$REPO/tools"
mkdir -p "$CACHE/log"
run=("$REPO/tools/rig/in-sysroot")
if [[ -n ${KDIR:-} ]]; then run=(); else "$REPO/tools/rig/sysroot.sh" >/dev/null; fi
if [[ ${V:-0} == 1 ]]; then
	"${run[@]}" nice cargo build --release
else
	step "command-line tool: cargo build (about 30 s the first time)" "${run[@]}" nice cargo build --release --quiet
fi
