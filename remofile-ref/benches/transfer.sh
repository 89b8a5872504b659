#!/usr/bin/env bash
# Uploads and downloads a large file, side by side with a raw CURVE stream of the same bytes on this machine.
#
#   remofile-ref/benches/transfer.sh [MIB [PAIRS]]
#
# MIB is the size of the file (1024), PAIRS how often each comparison is made (5). Whole processes are timed, in
# alternating order, with all files in memory (REMOFILE_BENCH_DIR, /dev/shm); the median of the ratios counts, for
# absolute numbers change with the machine and with the hour. Resident sizes come from runs that are not timed.
mib=${1:-1024}
pairs=${2:-5}
chunk=262144
count=$((mib * 1048576 / chunk))

name=bench
built_with='--example raw_stream'
# shellcheck source=prologue.sh
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"
raw_stream=$built/examples/raw_stream

upload() { "$remofile" --quiet upload "$scratch/source" /file; }
download() { "$remofile" --quiet download /file "$scratch/fetched"; }

head -c "$((mib * 1048576))" /dev/urandom >"$scratch/source"
start_server

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
