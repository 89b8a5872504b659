#!/usr/bin/env bash
# Changes the source of the zoo's server, one place at a time, and has the suite notice. What it does not notice is either
# a case that is missing, or stands in equivalent-mutants.txt with the reason why nobody could notice.
#   conformance/mutants.sh --all                  every mutant: hours
#   conformance/mutants.sh --sample N [--seed S]  about N of them, the same ones for the same seed
# Needs cargo-mutants. Exit code 1: a mutant lives, or a line of the list is stale.
set -euo pipefail
cd "$(dirname "$0")/.."

sample= seed=1
while [ $# -gt 0 ]; do
    case $1 in
        --all) sample= ;;
        --sample) sample=$2; shift ;;
        --seed) seed=$2; shift ;;
        *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cargo build -p conformance
cp "${CARGO_TARGET_DIR:-target}/debug/conformance" "$scratch/conformance"
export REMOFILE_CONFORMANCE=$scratch/conformance
# The faults themselves are no part of the server, and its command line is none of the protocol.
mutants=(cargo mutants -p remofile-zoo --features mutants --exclude 'conformance/zoo/src/faults/**'
    --exclude '**/command.rs' --exclude '**/main.rs' --exclude '**/switches.rs')
shard=()
if [ -n "$sample" ]; then
    all=$("${mutants[@]}" --list | wc -l)
    shards=$(((all + sample - 1) / sample))
    shard=(--shard "$((seed % shards))/$shards" --sharding round-robin)
fi
status=0
"${mutants[@]}" "${shard[@]}" --output "$scratch" --timeout 300 --no-shuffle --colors never -- --test suite || status=$?
# 2: some live; 3: some made the suite take too long, which is noticed as well.
case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac

# Without line and column, which change with every line above.
places() { sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' "$@" | sort -u; }
places "$scratch/mutants.out/missed.txt" > "$scratch/missed"
places "$scratch/mutants.out/caught.txt" "$scratch/mutants.out/timeout.txt" > "$scratch/caught"
sed -nE '/^(#|$)/!s/ — .*//p' conformance/equivalent-mutants.txt | sort -u > "$scratch/explained"
comm -23 "$scratch/missed" "$scratch/explained" > "$scratch/alive"
comm -23 "$scratch/caught" "$scratch/missed" | comm -12 - "$scratch/explained" > "$scratch/stale"
if [ -z "$sample" ]; then
    # What is explained has to exist.
    sort -u "$scratch/missed" "$scratch/caught" | comm -13 - "$scratch/explained" >> "$scratch/stale"
fi
sed 's/^/alive: /' "$scratch/alive"
sed 's/^/stale in equivalent-mutants.txt: /' "$scratch/stale"
echo "mutants: $(wc -l < "$scratch/caught") killed, $(wc -l < "$scratch/missed") missed," \
    "$(wc -l < "$scratch/alive") of them without a reason"
[ ! -s "$scratch/alive" ] && [ ! -s "$scratch/stale" ]
