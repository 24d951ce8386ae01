# SPDX-License-Identifier: GPL-2.0
# Sourced by the rig's scripts: where the cache is, locking, and progress that is never silent.
# shellcheck shell=bash

# shellcheck disable=SC2034 # read by the scripts that source this file
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Plain users lack these, where chroot and others are.
export PATH=$PATH:/usr/sbin:/sbin
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fastnat
LOG=$CACHE/log/$(basename "$0").log
STEP=0
STEPS=${STEPS:-1}

die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# One builder at a time; the others wait and then find the work done. What takes long has a lock of its own.
# shellcheck disable=SC2120 # or none
lock() { # [NAME]
	mkdir -p "$CACHE/log"
	exec 9>"$CACHE/lock${1:+-$1}"
	local waited=0
	until flock -w "$((waited ? 15 : 1))" 9; do
		echo "      another build holds the cache, waiting…" >&2
		waited=1
	done
}

# Something that moves while the job runs: a spinner on a terminal, else a line every 15 s.
heartbeat() {
	local start=$SECONDS job=$1 what=$2 tick=0 turn='|/-+'
	while kill -0 "$job" 2>/dev/null; do
		if [[ -t 2 ]]; then
			printf '\r%s %s (%d s) ' "$what" "${turn:tick % 4:1}" $((SECONDS - start)) >&2
			sleep 0.5
		else
			sleep 1
			((tick > 0 && tick % 15 == 0)) && printf '      … %d s\n' "$tick" >&2
		fi
		tick=$((tick + 1))
	done
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# step TEXT CMD…: run CMD with its output in the log, announced and timed.
step() {
	local text=$1 start=$SECONDS status=0 job
	shift
	STEP=$((STEP + 1))
	printf '[%d/%d] %s\n' "$STEP" "$STEPS" "$text" >&2
	printf '\n== %s: %s\n' "$(date +%T)" "$text" >>"$LOG"
	"$@" >>"$LOG" 2>&1 9>&- &
	job=$!
	heartbeat "$job" "[$STEP/$STEPS] working" 9>&-
	wait "$job" || status=$?
	if ((status)); then
		printf 'failed after %d s; the end of %s:\n' $((SECONDS - start)) "$LOG" >&2
		tail -n 15 "$LOG" | sed 's/^/  | /' >&2
		exit 1
	fi
	printf '[%d/%d] done in %d s\n' "$STEP" "$STEPS" $((SECONDS - start)) >&2
}
