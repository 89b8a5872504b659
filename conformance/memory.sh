#!/usr/bin/env bash
# Runs the suite against the reference over its backend in memory: what needs the served directory or a restart does not
# apply, and says so; everything else passes.
#   conformance/memory.sh CONFORMANCE MEMORY_SERVER [DIRECTORY for the report]
set -euo pipefail

conformance=$1
server=$2
scratch=$(mktemp -d)
reports=${3:-$scratch}
port=${PORT:-6798}
export REMOFILE_TOKEN=TTA3rMB8VtNYv25kdipkaJ

"$server" "127.0.0.1:$port" "$REMOFILE_TOKEN" & pid=$!
trap 'kill "$pid" 2> /dev/null || true; rm -rf "$scratch"' EXIT

"$conformance" run --strict --no-color --wait 40 --output "$reports/memory.json" "127.0.0.1:$port"
