#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Removes what a module build leaves in the checkout.
set -euo pipefail

cd "$(dirname "$0")/../.."
rm -rf build
find . \( -path ./.git -o -path ./tools \) -prune -o -type f \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
	-o -name '.*.cmd' -o -name '.*.d' -o -name '*.rmeta' -o -name 'bindings_generated.rs' -o -name modules.order \
	-o -name Module.symvers \) -exec rm -f {} +
