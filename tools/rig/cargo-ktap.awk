# SPDX-License-Identifier: GPL-2.0
# Turns the output of "cargo test" into KTAP; everything that is no result is kept as a comment if something fails.
BEGIN { print "TAP version 13" }
/^ *(Compiling|Finished|Fresh|Blocking|Downloaded|Downloading|Updating) / { next }
/^ *Running |^ *Doc-tests / { print "#" $0; next }
/^test .* \.\.\. / {
	name = $0
	sub(/^test /, "", name)
	result = name
	sub(/ \.\.\. [^ ]+.*$/, "", name)
	sub(/^.* \.\.\. /, "", result)
	n++
	if (result ~ /^ok/) print "ok " n " - " name
	else if (result ~ /^ignored/) print "ok " n " - " name " # SKIP ignored"
	else { print "not ok " n " - " name; failed++ }
	next
}
/^cargo [0-9]+$/ { if (!failed) { n++; print "not ok " n " - cargo test exits with " $2; failed++ } next }
/^(running [0-9]+ tests?|test result: ok.*|)$/ { next }
/^test result: ok/ { next }
{ print "# " $0 }
END { print "1.." n }
