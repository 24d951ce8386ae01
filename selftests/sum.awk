# SPDX-License-Identifier: GPL-2.0
# The closing line of KTAP. A line with a plan of its own above it (a script) is counted by its parts,
# unless it alone failed. Fails if a test failed, or none passed.

function close_script() { parts = 0; bad = 0 }
/^  +ok .*# SKIP/ { skip++; parts++; next }
/^  +ok /         { pass++; parts++; next }
/^  +not ok /     { fail++; parts++; bad++; next }
/^ok .*# SKIP/    { if (!parts) skip++; close_script(); next }
/^ok /            { if (!parts) pass++; close_script(); next }
/^not ok /        { if (!bad) fail++; close_script(); next }
END { printf "%d passed, %d failed, %d skipped\n", pass, fail, skip; exit fail > 0 || pass == 0 }
