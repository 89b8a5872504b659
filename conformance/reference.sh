#!/usr/bin/env bash
# Runs the suite against the reference in every mode: ROUTER and REP, keys derived from the token and keys of its own,
# read-only, without CURVE. Every case must pass, or be not applicable with evidence.
#   conformance/reference.sh CONFORMANCE REMOFILE [DIRECTORY for the reports]
set -euo pipefail

conformance=$1
remofile=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
reports=${3:-$scratch}

# variant NAME 'FLAGS OF THE SERVER' [FLAGS OF THE SUITE...]
variant() {
    local name=$1 flags=$2
    shift 2
    echo "-- $name"
    "$conformance" run --strict --no-color --spawn "exec '$remofile' run $flags {root} {port} {token}" \
        --output "$reports/$name.json" "$@"
    # The evidence is a sentence, and no case may be left out because an option is missing.
    python3 - "$reports/$name.json" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
bad = [case["id"] for case in report["cases"]
       if case["verdict"] not in ("pass", "info") and not (case["verdict"] == "not-applicable" and case["reason"])]
sys.exit(f"neither passed nor not applicable with evidence: {bad}" if bad else 0)
PYTHON
}

"$remofile" generate-keys > "$scratch/keys"
public=$(sed -n 's/^public //p' "$scratch/keys")

variant router ""
variant rep "--rep"
variant pinned "--secret-key-file '$scratch/keys'" --server-key "$public"
variant read-only "--read-only"
variant insecure "--insecure" --insecure
