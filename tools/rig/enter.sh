#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The inner half of in-sysroot: in a mount namespace of its own, binds what is needed and changes root.
set -euo pipefail

cache=$1
shift
root=$FASTNAT_ROOT

bind() {
	mkdir -p "$root$1"
	mount --rbind "$1" "$root$1"
}

bind_file() {
	[[ -r $1 ]] || return 0
	mkdir -p "$(dirname "$root$1")"
	[[ -e $root$1 ]] || : >"$root$1"
	mount --bind "$(readlink -f "$1")" "$root$1"
}

for dir in /proc /sys /dev /tmp; do bind "$dir"; done
IFS=: read -ra dirs <<<"$FASTNAT_BINDS"
for dir in "${dirs[@]}"; do
	[[ -z $dir || $dir == /tmp/* ]] || bind "$dir"
done
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do bind_file "$file"; done

# The host's own toolchain settings must not leak in.
for name in ${!RUSTUP_@} ${!CARGO_@} RUSTFLAGS RUSTC SSL_CERT_DIR LD_LIBRARY_PATH LD_PRELOAD PYTHONPATH MAKEFLAGS MFLAGS MAKELEVEL; do unset "$name"; done
export PATH=/usr/sbin:/usr/bin HOME=$cache/home CARGO_HOME=$cache/cargo LC_ALL=C.UTF-8 TMPDIR=/tmp \
	SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' FASTNAT_INSIDE=1
# shellcheck disable=SC2016 # expands inside
exec chroot "$root" /bin/bash -c 'cd "$FASTNAT_CWD" 2>/dev/null || cd /; exec "$@"' in-sysroot "$@"
