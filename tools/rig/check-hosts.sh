#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# No machine is named in the repository, except sites of standards and documentation, and example names.
set -euo pipefail

cd "$(dirname "$0")/../.."
allowed='(www\.|docs\.|datatracker\.)?(kernel|rfc-editor|ietf|iana|man7|json-schema|w3)\.org|([a-z0-9-]+\.)?example(\.[a-z]+)?|localhost|[0-9.]+|\[|\$|<|%'
! git ls-files -co --exclude-standard -z -- . ':!:*Cargo.lock' ':!:LICENSES' |
	xargs -0 grep -nIoE '(https?|ftp|git|ssh)://[^ /")>`]+' -- 2>/dev/null |
	grep -vE "://($allowed)"
