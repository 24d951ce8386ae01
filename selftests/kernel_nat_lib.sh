# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by kernel_nat.sh, kernel_flowtable.sh and kernel_pmtu.sh: the kernel's own selftests, unchanged, with fastnat in the place of
# connection tracking's NAT. Replaced is only what loads the rules: the scripts call the programs in kernel_nat/,
# which make policies of IPv4 NAT rules and leave all others to nft.

# shellcheck source=selftests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TREE=$HERE/../kselftest/net
[[ -r $TREE/netfilter/nft_nat.sh ]] || skip_all "no kernel selftests: $TREE"
export KERNEL_NAT_STATE=$TMP/taken KERNEL_NAT_LOG=$TMP/rules
mkdir "$KERNEL_NAT_STATE"
: >"$KERNEL_NAT_LOG"
load_module

# Lines of what a script says, each a test: "SCRIPT ARGUMENTS|what it says when it passes|why not|what then".
# With a reason alone the script passes, but by others: SKIP. Where fastnat is meant to differ there is also what the
# script says then; it is a failure if it says anything else.
SUBTESTS=()

# What a script said is kept, for all its subtests.
said() { # SCRIPT
	local file=$TMP/said-${1//[^a-z_]/-}
	if [[ ! -e $file ]]; then
		: >"$KERNEL_NAT_LOG"
		# shellcheck disable=SC2086 # arguments
		(cd "$TREE/$(dirname "${1%% *}")" && PATH=$HERE/kernel_nat:$PATH bash ./${1##*/}) </dev/null >"$file" 2>&1
		echo "exit $?" >>"$file"
		cp "$KERNEL_NAT_LOG" "$file.rules"
	fi
	echo "$file"
}

# Once, what it said and what became of its rules.
told() { # FILE
	[[ -e $1.told ]] || sed 's/^/#   /' "$1" "$1.rules"
	: >"$1.told"
}

subtest() { # NUMBER
	local script line reason instead file
	IFS='|' read -r script line reason instead <<<"${SUBTESTS[$1]}"
	file=$(said "$script")
	if ! grep -qE "^${instead:-$line}\$" "$file"; then
		fail "$script did not say: ${instead:-$line}"
		told "$file"
	elif [[ ! $reason ]]; then
		at_least "rules taken from $script" "$(grep -c '^taken' "$file.rules")" 1 || told "$file"
	else
		skip "$reason"
	fi
}

name_subtests() {
	local number script line name
	for number in "${!SUBTESTS[@]}"; do
		IFS='|' read -r script line _ <<<"${SUBTESTS[number]}"
		name=$(basename "${script%% *}" .sh)_${line#*: }
		name=${name//[^A-Za-z0-9]/_}
		while [[ $name == *__* ]]; do name=${name//__/_}; done
		eval "${name%_}() { subtest $number; }"
		TESTS+=("${name%_}")
	done
}
