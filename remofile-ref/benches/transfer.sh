#!/usr/bin/env bash
# Uploads and downloads a large file, side by side with a raw CURVE stream of the same bytes on this machine.
#
#   remofile-ref/benches/transfer.sh [MIB [PAIRS]]
#
# MIB is the size of the file (1024), PAIRS how often each comparison is made (5). Whole processes are timed, in
# alternating order, with all files in memory (REMOFILE_BENCH_DIR, /dev/shm); the median of the ratios counts, for
# absolute numbers change with the machine and with the hour. Resident sizes come from runs that are not timed.
set -euo pipefail
export LC_ALL=C

mib=${1:-1024}
pairs=${2:-5}
chunk=262144
count=$((mib * 1048576 / chunk))

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build --quiet --release -p remofile-ref --bin remofile --example raw_stream
built=${CARGO_TARGET_DIR:-target}/release
remofile=$built/remofile
raw_stream=$built/examples/raw_stream

scratch=$(mktemp -d "${REMOFILE_BENCH_DIR:-/dev/shm}/remofile-bench.XXXXXX")
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

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

upload() { "$remofile" --quiet upload "$scratch/source" /file; }
download() { "$remofile" --quiet download /file "$scratch/fetched"; }

mkdir "$scratch/served"
head -c "$((mib * 1048576))" /dev/urandom >"$scratch/source"
REMOFILE_TOKEN=$("$remofile" generate-token)
export REMOFILE_TOKEN
"$remofile" --quiet run "$scratch/served" 0 >"$scratch/announced" &
server=$!
until grep -q '^export REMOFILE_TOKEN=' "$scratch/announced"; do
    kill -0 "$server" || { echo "the server did not start" >&2; exit 1; }
done
REMOFILE_SERVER=$(sed -n 's/^export REMOFILE_SERVER=//p' "$scratch/announced")
export REMOFILE_SERVER

printf '%-9s %4s %12s %12s %7s\n' what pair 'raw MB/s' 'file MB/s' ratio
for what in upload download; do
    for ((pair = 1; pair <= pairs; pair++)); do
        if [ "$what" = upload ]; then rm -f "$scratch/served/file"; else rm -f "$scratch/fetched"; fi
        if ((pair % 2)); then
            timed "$raw_stream" "$chunk" "$count"; raw=$seconds
            timed "$what"; file=$seconds
        else
            timed "$what"; file=$seconds
            timed "$raw_stream" "$chunk" "$count"; raw=$seconds
        fi
        awk -v what="$what" -v pair="$pair" -v raw="$raw" -v file="$file" -v mib="$mib" 'BEGIN {
            mb = mib * 1.048576
            printf "%-9s %4d %12.0f %12.0f %7.2f\n", what, pair, mb / raw, mb / file, raw / file
        }' | tee -a "$scratch/$what"
    done
done
cmp "$scratch/source" "$scratch/served/file"
cmp "$scratch/source" "$scratch/fetched"

echo
for what in upload download; do
    printf '%-9s median ratio %s of the raw stream\n' "$what" "$(awk '{ print $5 }' "$scratch/$what" | median)"
done
rm -f "$scratch/served/file" "$scratch/fetched"
printf 'resident  upload %s MiB, download %s MiB, ' \
    "$(resident_of "$remofile" --quiet upload "$scratch/source" /file)" \
    "$(resident_of "$remofile" --quiet download /file "$scratch/fetched")"
printf 'server %s MiB\n' "$(resident "$server")"
