#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bad and hostile netlink messages: each is refused with an error, those that reach
# fastnat's own checks with a message as well, and none changes anything. The requests
# are in netlink_bad.py, which prints the results.
#
#   gw: one namespace with a pool, policies and settings of its own

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

setup_ns gw
configure pool add used --range 203.0.113.1-203.0.113.9 --ports 2000-2999
configure policy add snat --pool used --src 10.0.0.0/8 --id 11
configure policy add dnat --to 10.0.0.2:80 --dst 192.0.2.1 --proto tcp --dport 80 --id 12
configure config set --timeout-udp 123
configure lro set dev lan0 limit 5
at "$gw" timeout 50 python3 -IS "$HERE/netlink_bad.py"
