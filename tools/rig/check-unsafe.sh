#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The unsafe rule: unsafe code lives in rust/sys and rust/table alone, and each use has its SAFETY argument.
set -euo pipefail

cd "$(dirname "$0")/../.."
[[ -d rust ]] || exit 0
status=0

# Comments and text do not count; macros' and attributes' unsafe does.
outside=$(find rust -name '*.rs' ! -path 'rust/sys/*' ! -path 'rust/table/*' -exec grep -nE '\bunsafe\b' {} /dev/null \; |
	grep -vE '^[^:]*:[0-9]*:[[:space:]]*//|unsafe_code|unsafe_op_in_unsafe_fn' || true)
if [[ -n $outside ]]; then
	echo "unsafe outside rust/sys and rust/table:"
	echo "$outside"
	status=1
fi

mapfile -t inside < <(find rust/sys rust/table -name '*.rs' ! -name '*_generated.rs' 2>/dev/null)
((${#inside[@]} == 0)) || awk '
	FNR == 1 { seen = -100 }
	/SAFETY:/ { seen = FNR }
	/^[[:space:]]*\/\// { next }
	/(^|[^[:alnum:]_])unsafe([[:space:]]*\{|[[:space:]]+impl)/ {
		if (FNR - seen > 6) { printf "%s:%d: no SAFETY line within the 6 above\n", FILENAME, FNR; bad = 1 }
	}
	END { exit bad }
' "${inside[@]}" || status=1
exit "$status"
