#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own netlink client, pyynl, drives every operation from the specification
# alone; ynl.py makes the calls and prints the results.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

SPEC=$HERE/../Documentation/netlink/specs/fastnat.yaml
YNL=${YNL:-/usr/lib/ynl}

[[ -f $SPEC ]] || skip_all "no specification at $SPEC"
[[ -d $YNL/pyynl ]] || skip_all "no pyynl at $YNL"
gateway_topology
at "$gw" timeout 50 python3 "$HERE/ynl.py" "$YNL" "$SPEC" "$client" 192.0.2.2
