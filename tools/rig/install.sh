#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs what was built, under DESTDIR: the module, the tool, and its pages and completion if there are any.
set -euo pipefail

cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin # depmod, for those who lack these
prefix=${PREFIX:-/usr} dest=${DESTDIR:-} modules=${MODDIR:-/lib/modules}
module=${MODULE:-fastnat.ko}
[[ -r $module && -x tools/target/release/fastnat ]] || { echo "nothing to install: run make first" >&2; exit 1; }

# The module knows best what it was built for.
release=$(grep -aom1 'vermagic=[^ ]*' "$module")
release=${release#vermagic=}
install -D -m 644 "$module" "$dest$modules/$release/updates/fastnat.ko"
# Debug information is for the build folder.
if type -P strip >/dev/null; then strip --strip-debug "$dest$modules/$release/updates/fastnat.ko"; fi
install -D -m 755 tools/target/release/fastnat "$dest$prefix/bin/fastnat"
for page in Documentation/man/*.[1-8]; do
	[[ ! -r $page ]] || install -D -m 644 "$page" "$dest$prefix/share/man/man${page##*.}/$(basename "$page")"
done
completions=$dest$prefix/share/bash-completion/completions
install -d "$completions"
tools/target/release/fastnat completions bash >"$completions/fastnat"
if [[ -z $dest ]]; then
	type -P depmod >/dev/null || { echo "depmod is missing, so modprobe will not find the module; get it with: apt-get install kmod" >&2; exit 1; }
	depmod "$release"
fi
echo "installed fastnat for Linux $release"
[[ -n $dest || $(uname -r) == "$release" ]] || echo "note: the running kernel is $(uname -r)"
