# What the benchmarks share: a place in memory that goes with them, one server of the built command, and measuring.
#
# Sourced with `name` and `built_with` set: the name of the scratch directory, and what cargo builds beside the command.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck disable=SC2154,SC2086
cargo build --quiet --release -p remofile-cli --bin remofile ${built_with:-}
built=${CARGO_TARGET_DIR:-target}/release
remofile=$built/remofile

# shellcheck disable=SC2154
scratch=$(mktemp -d "${REMOFILE_BENCH_DIR:-/dev/shm}/remofile-$name.XXXXXX")
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

mkdir "$scratch/served"
REMOFILE_TOKEN=$("$remofile" generate-token)
export REMOFILE_TOKEN

# Starts a server on $scratch/served, and waits until it is ready.
start_server() {
    rm -f "$scratch/announced"
    "$remofile" --quiet run "$scratch/served" 0 >"$scratch/announced" &
    server=$!
    until grep -qs '^export REMOFILE_TOKEN=' "$scratch/announced"; do
        kill -0 "$server" || { echo "the server did not start" >&2; exit 1; }
    done
    REMOFILE_SERVER=$(sed -n 's/^export REMOFILE_SERVER=//p' "$scratch/announced")
    export REMOFILE_SERVER
}

stop_server() {
    kill "$server"
    wait "$server"
    server=
}

# Sets `seconds` to the wall time of a command.
timed() {
    local start=$EPOCHREALTIME
    "$@" >"$scratch/output" 2>&1 || { cat "$scratch/output" >&2; exit 1; }
    seconds=$(awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.4f", end - start }')
}

# The peak resident size of a living process in MiB.
resident() {
    awk '/^VmHWM:/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status" 2>/dev/null || true
}

# The peak resident size of a command in MiB, as last seen before its end.
resident_of() {
    "$@" >/dev/null 2>&1 &
    local pid=$! peak=
    while kill -0 "$pid" 2>/dev/null; do
        local seen
        seen=$(resident "$pid")
        peak=${seen:-$peak}
    done
    wait "$pid"
    echo "$peak"
}

median() {
    sort -n | awk '{ all[NR] = $1 } END { printf "%.2f", NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2 }'
}
