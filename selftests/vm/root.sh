#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the root of the test VM, an initramfs of a small Debian 13, once, and prints its folder.
#
#   root.sh [KERNEL]    KERNEL: a folder as kernel.sh --vm makes it
set -euo pipefail

STEPS=1
rig=$(cd "$(dirname "$0")/../../tools/rig" && pwd -P)
# shellcheck source=tools/rig/lib.sh
. "$rig/lib.sh"
# shellcheck source=tools/rig/apt.sh
. "$rig/apt.sh"

PACKAGES=(
	base-files base-passwd bash coreutils dash debianutils diffutils findutils grep gzip sed mawk
	hostname util-linux bsdutils mount procps libc-bin netbase kmod jq
	nftables iproute2 conntrack iputils-ping iputils-arping ethtool tcpdump traceroute socat netcat-openbsd iperf3 curl
	python3 python3-yaml python3-jsonschema python3-scapy
	stun-client stun-server
	iptables
	ipvsadm
)

# What a gateway and its tests can need; the hundreds of hardware drivers are left out.
MODULES=(lib crypto
	net/{8021q,802,bridge,core,ipv4,ipv6,key,l2tp,llc,mpls,netfilter,openvswitch,packet,psample,sched,sctp,tls,xfrm} arch/x86/crypto drivers/block/virtio_blk.ko drivers/net/net_failover.ko
	drivers/net/veth.ko drivers/net/dummy.ko drivers/net/ifb.ko drivers/net/vrf.ko drivers/net/macvlan.ko
	drivers/net/ipvlan drivers/net/bonding drivers/net/vxlan drivers/net/wireguard drivers/net/tun.ko
	drivers/net/virtio_net.ko drivers/net/netconsole.ko drivers/net/geneve.ko drivers/char/virtio_console.ko)

kernel=${1:-$("$rig/kernel.sh" --vm)}
release=$(cat "$kernel/release")
FORMAT=2 # raise it when the way the root is made changes
key=$(printf '%s\n' "$FORMAT" "$SUITE" "${PACKAGES[@]}" "${MODULES[@]}" | sha256sum | cut -c1-10)
root=$CACHE/vm/$release-$key

copy_modules() {
	local from=$kernel/boot/usr/lib/modules/$release to=$1/usr/lib/modules/$release name
	mkdir -p "$to"
	cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
	for name in "${MODULES[@]}"; do
		(cd "$from" && find "kernel/$name"* -name '*.ko*' 2>/dev/null) || true
	done | sort -u | (cd "$from" && cpio_copy "$to")
	# Emulated processors are slow at decompressing.
	"$rig/in-sysroot" find "$to" -name '*.ko.xz' -exec xz -d {} +
	"$rig/in-sysroot" depmod -b "$1/usr" "$release"
}

cpio_copy() { tar -c -T - | tar -x -C "$1" --no-same-owner; }

slim() {
	rm -rf "$1"/usr/lib/x86_64-linux-gnu/{perl,perl-base,gconv} "$1"/usr/lib/python3*/{idlelib,lib2to3,pydoc_data,ensurepip,test,turtledemo} \
		"$1"/usr/share/{bash-completion,zoneinfo,common-licenses,perl5,bug,python3,doc-base,debhelper,zsh} \
		"$1"/usr/lib/python3/dist-packages/scapy/{contrib/automotive,modules/nmap*,tools/UTscapy*}
	rm -f "$1"/usr/bin/{perl*,gdbus,openssl} "$1"/usr/bin/systemd*
}

build() {
	rm -rf "$root.tmp"
	mkdir -p "$root.tmp"
	local dir=$root.tmp/root
	unpack_closure "$dir" "${PACKAGES[@]}"
	slim "$dir"
	copy_modules "$dir"
	mkdir -p "$dir/usr/lib/ynl" "$dir/fastnat/Documentation/netlink/specs"
	cp -r "$kernel/tree/tools/net/ynl/pyynl" "$dir/usr/lib/ynl/"
	cp "$kernel"/tree/Documentation/netlink/*.yaml "$dir/fastnat/Documentation/netlink/"
	printf 'nameserver 127.0.0.1\n' >"$dir/etc/resolv.conf"
	printf '127.0.0.1 localhost fastnat-vm\n::1 localhost\n' >"$dir/etc/hosts"
	echo fastnat-vm >"$dir/etc/hostname"
	ln -sf ../proc/self/mounts "$dir/etc/mtab"
	"$rig/in-sysroot" chroot "$dir" /sbin/ldconfig
	# Compiled ahead: an emulated processor needs half a minute for scapy's sources.
	"$rig/in-sysroot" chroot "$dir" /bin/bash -c \
		'python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3* /usr/lib/ynl' || true
	# shellcheck disable=SC2016 # expands inside
	"$rig/in-sysroot" bash -c 'cd "$1" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0 >"$2"' cpio "$dir" "$root.tmp/base.cpio"
	mkdir "$root.tmp/modules"
	mv "$dir/usr/lib/modules/$release" "$root.tmp/modules/"
	rm -rf "$dir" "$APT_DIR"/archives/*.deb
	mv "$root.tmp" "$root"
}

if [[ ! -d $root ]]; then
	lock
	if [[ ! -d $root ]]; then
		mkdir -p "$CACHE/vm"
		apt_setup
		apt_lists_fresh || STEPS=2
		apt_lists_fresh || step "package lists of Debian $SUITE: 10 MB (about 10 s)" apt_update
		step "root of the test VM: 41 MB of packages (about 40 s)" build
	fi
fi
echo "$root"
