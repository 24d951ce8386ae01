# SPDX-License-Identifier: GPL-2.0
# Sourced: Debian 13 packages by the host's apt, into the cache; the host's own package state is not touched.
# shellcheck shell=bash

APT_DIR=$CACHE/apt
SUITE=trixie

# The mirror the host itself uses, so that proxies and company mirrors just work.
host_mirror() { # PATTERN
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
		sed 's,/*$,,' | grep -E -m1 "$1"
}

# No Debian mirror configured: take the one a bootstrapper on this host would take.
bootstrap_mirror() {
	sed -n 's/^DEF_MIRROR="\(.*\)"/\1/p' /usr/sbin/debootstrap 2>/dev/null | head -n1
}

apt_sources() {
	local mirror security signed='' key=/usr/share/keyrings/debian-archive-keyring.gpg
	mirror=${FASTNAT_MIRROR:-$(host_mirror '/debian$' || bootstrap_mirror)}
	[[ -n $mirror ]] || die "no Debian mirror in the host's apt sources; give one as FASTNAT_MIRROR=<url>"
	security=${FASTNAT_MIRROR_SECURITY:-$(host_mirror '/debian-security$' || true)}
	[[ -r $key ]] && signed="signed-by=$key"
	local opts="[arch=amd64 $signed]"
	printf 'deb %s %s %s main\n' "$opts" "$mirror" "$SUITE" "$opts" "$mirror" "$SUITE-backports"
	[[ -z $security ]] || printf 'deb %s %s %s-security main\n' "$opts" "$security" "$SUITE"
}

apt_setup() {
	type -P apt-get dpkg-deb >/dev/null ||
		die "this needs a Debian host (apt-get and dpkg-deb)"
	mkdir -p "$APT_DIR"/{lists/partial,archives/partial,empty}
	: >"$APT_DIR/status"
	apt_sources >"$APT_DIR/sources.list"
	cat >"$APT_DIR/apt.conf" <<-CONF
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear Acquire::IndexTargets::deb::DEP-11;
		#clear Acquire::IndexTargets::deb::CNF;
		Dir::State "$APT_DIR";
		Dir::State::lists "$APT_DIR/lists";
		Dir::State::status "$APT_DIR/status";
		Dir::State::extended_states "$APT_DIR/extended_states";
		Dir::Cache "$APT_DIR";
		Dir::Cache::archives "$APT_DIR/archives";
		Dir::Cache::pkgcache "$APT_DIR/pkgcache.bin";
		Dir::Cache::srcpkgcache "$APT_DIR/srcpkgcache.bin";
		Dir::Etc::sourcelist "$APT_DIR/sources.list";
		Dir::Etc::sourceparts "$APT_DIR/empty";
		Dir::Etc::preferencesparts "$APT_DIR/empty";
		Dir::Etc::preferences "$APT_DIR/empty/none";
		Dir::Log "$APT_DIR";
		Debug::NoLocking "true";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "$(id -un)";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "5";
	CONF
}

# apt TOOL ARGS…: apt-get or apt-cache on the private state.
apt() { local tool=$1; shift; APT_CONFIG=$APT_DIR/apt.conf LC_ALL=C "apt-$tool" -q "$@"; }

apt_update() { apt get update && touch "$APT_DIR/updated"; }
apt_lists_fresh() { [[ -n $(find "$APT_DIR/updated" -mmin -720 2>/dev/null) ]]; }

# The files of PKG… and of all they depend on, one path a line, downloaded.
apt_closure() {
	local list
	apt get -y --download-only install "$@" >&2
	list=$(apt get -y --print-uris install "$@" | sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p")
	# Nothing left to fetch prints nothing: ask again with an empty archive folder.
	list=$list$'\n'$(apt get -o "Dir::Cache::archives=$APT_DIR/empty/" -y --print-uris install "$@" |
		sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p")
	sort -u <<<"$list" | sed '/^$/d; s,^,'"$APT_DIR/archives/,"
}

# unpack_closure DIR PKG…: a root folder from packages, unpacked only: no maintainer
# script runs, so neither root rights nor a bootstrapper are needed.
unpack_closure() {
	local dir=$1 deb
	shift
	mkdir -p "$dir"
	apt_closure "$@" >"$APT_DIR/closure.$$"
	# base-files first: it brings the links /bin -> usr/bin and so on.
	{ grep /base-files_ "$APT_DIR/closure.$$"; grep -v /base-files_ "$APT_DIR/closure.$$"; } |
		while read -r deb; do
			dpkg-deb --fsys-tarfile "$deb" |
				tar -x -C "$dir" --no-same-owner --keep-directory-symlink \
					--exclude=./usr/share/doc --exclude=./usr/share/locale --exclude=./usr/share/man \
					--exclude=./usr/share/info --exclude=./usr/share/lintian
		done
	rm -f "$APT_DIR/closure.$$"
	finish_root "$dir"
}

# What the maintainer scripts would have done, as far as anybody here needs it.
finish_root() {
	local dir=$1 link target
	cp "$dir/usr/share/base-passwd/passwd.master" "$dir/etc/passwd"
	cp "$dir/usr/share/base-passwd/group.master" "$dir/etc/group"
	while read -r link target; do
		[[ ! -e $dir/usr/bin/$target ]] || ln -sf "$target" "$dir/usr/bin/$link"
	done <<-'LINKS'
		awk mawk
		cc gcc
		c++ g++
		nc nc.openbsd
		which which.debianutils
		pager more
		traceroute traceroute.db
	LINKS
	mkdir -p "$dir"/{proc,sys,dev,run,tmp,root,work}
	chmod 1777 "$dir/tmp"
}
