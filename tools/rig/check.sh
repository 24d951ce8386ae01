#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs every check, one line each; what a failed one said is below its line.
set -euo pipefail

# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"

kernel=$("$REPO/tools/rig/kernel.sh")
tree=$kernel/tree
work=$(mktemp -d "$CACHE/check.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
in_root() { "$REPO/tools/rig/in-sysroot" "$@"; }

# Files of the repository, committed or about to be; generated ones say so in their first lines.
files() { in_root git ls-files -co --exclude-standard -- "$@" | while read -r file; do [[ ! -f $file ]] || echo "$file"; done; }
written() { files "$@" | while read -r file; do head -n 5 "$file" | grep -qiE 'generated|do not edit' || echo "$file"; done; }
scripts() { files | while read -r file; do [[ $file == *.sh ]] || head -c 64 "$file" | head -n1 | grep -aqE '^#!.*\b(ba)?sh\b' && echo "$file"; done; return 0; }

check() { # NAME COMMAND…
	local name=$1 status=0
	shift
	("$@") >"$work/out" 2>&1 9>&- &
	local job=$!
	heartbeat "$job" "$name"
	wait "$job" || status=$?
	if ((status)); then
		printf 'FAIL  %s\n' "$name"
		tail -n 40 "$work/out" | sed 's/^/      /'
		failed=1
	else
		printf 'ok    %s\n' "$name"
	fi
}

rustfmt_module() {
	local list
	mapfile -t list < <(written 'rust/*.rs')
	((${#list[@]} == 0)) || in_root rustfmt --check --color never --edition 2021 "${list[@]}"
}
rustfmt_tools() { cd tools && in_root cargo fmt --all --check -- --color never; }
clippy_tools() { cd tools && in_root nice cargo clippy --quiet --workspace --all-targets -- -D warnings; }

# Clippy, rustc and gcc have nothing to say. In a copy, so that the objects in the checkout stay.
# (sparse is not run: Debian 13's is older than what the kernel's headers ask for.)
warnings() {
	local copy=$work/module
	mkdir -p "$copy"
	cp -r --parents -t "$copy" Kbuild rust include tools/Cargo.toml
	find "$copy" \( -name '*.o' -o -name '.*.cmd' -o -name '*_generated.rs' \) -delete
	CLIPPY=1 tools/rig/module.sh "$copy" >"$work/warnings.out" 2>&1 || { tail -n 20 "$work/warnings.out"; return 1; }
	! grep -E -A7 '(^|: )(warning|error)[:[]' "$work/warnings.out"
}

shellcheck_all() {
	local list
	mapfile -t list < <(scripts)
	in_root shellcheck -x "${list[@]}"
}
yamllint_all() {
	local list
	mapfile -t list < <(files '*.yaml' '*.yml')
	((${#list[@]} == 0)) || in_root yamllint -s -d '{extends: default, rules: {line-length: disable, document-start: disable}}' "${list[@]}"
}
# CONST_STRUCT: a ctl_table that is filled at run time cannot be const.
checkpatch() {
	local list
	mapfile -t list < <(written '*.c' '*.h')
	((${#list[@]} == 0)) || in_root "$tree/scripts/checkpatch.pl" --no-tree --terse --show-types --no-summary --root "$tree" \
		--ignore SPDX_LICENSE_TAG,FILE_PATH_CHANGES,CONST_STRUCT -f "${list[@]}"
}
generated() { [[ ! -x tools/gen/run ]] || tools/gen/run --check; }

check "rustfmt, module" rustfmt_module
check "rustfmt, tools" rustfmt_tools
check "clippy, tools" clippy_tools
check "clippy and warnings, module" warnings
check "checkpatch, C parts" checkpatch
check "shellcheck" shellcheck_all
check "yamllint" yamllint_all
check "generated files" generated
check "page of the RFCs" in_root selftests/rfc/page.py --check
check "unsafe rule" in_root tools/rig/check-unsafe.sh
check "no host names" in_root tools/rig/check-hosts.sh
exit "$failed"
