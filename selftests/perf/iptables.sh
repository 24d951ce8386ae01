#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Unpacks iptables with its libraries, once, and prints the folder: what the root of the test VM lacks.
set -euo pipefail

STEPS=1
rig=$(cd "$(dirname "$0")/../../tools/rig" && pwd -P)
# shellcheck source=tools/rig/lib.sh
. "$rig/lib.sh"
# shellcheck source=tools/rig/apt.sh
. "$rig/apt.sh"

PACKAGES=(iptables libxtables12 libip4tc2 libip6tc2 libnetfilter-conntrack3 libnfnetlink0)
key=$(printf '%s\n' "$SUITE" "${PACKAGES[@]}" | sha256sum | cut -c1-10)
dir=$CACHE/perf/iptables-$key

build() {
	local deb
	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp"
	(cd "$dir.tmp" && apt get download "${PACKAGES[@]}")
	for deb in "$dir.tmp"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir.tmp" --no-same-owner --keep-directory-symlink \
			--exclude=./usr/share --exclude=./etc
		rm "$deb"
	done
	# The package's scripts would have made this link.
	ln -sf xtables-legacy-multi "$dir.tmp/usr/sbin/iptables"
	mv "$dir.tmp" "$dir"
}

if [[ ! -d $dir ]]; then
	lock
	if [[ ! -d $dir ]]; then
		apt_setup
		apt_lists_fresh || STEPS=2
		apt_lists_fresh || step "package lists of Debian $SUITE: 10 MB (about 10 s)" apt_update
		step "iptables: 1 MB of packages" build
	fi
fi
echo "$dir"
