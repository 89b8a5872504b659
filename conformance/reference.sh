#!/usr/bin/env bash
# Runs the suite against the reference, every way it serves: ROUTER and REP, keys of the token and keys of its own, read-only,
# without CURVE. Every case passes, and what does not apply says why.
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
    # Evidence is a sentence, and nothing is left out for want of an option.
    python3 - "$reports/$name.json" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
bad = [case["id"] for case in report["cases"]
       if case["verdict"] not in ("pass", "info") and not (case["verdict"] == "not-applicable" and case["reason"])]
sys.exit(f"neither passed nor shown not to apply: {bad}" if bad else 0)
PYTHON
}

"$remofile" generate-keys > "$scratch/keys"
public=$(sed -n 's/^public //p' "$scratch/keys")

variant router ""
variant rep "--rep"
variant pinned "--secret-key-file '$scratch/keys'" --server-key "$public"
variant read-only "--read-only"
variant insecure "--insecure" --insecure
