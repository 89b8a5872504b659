#!/usr/bin/env bash
# Lists directories and transfers trees at three sizes each: processor time per entry must not grow with their number,
# and memory must stay within a bound, in the client and in the server.
#
#   remofile-ref/benches/sizes.sh [ENTRIES [FILES]]
#
# ENTRIES is the size of the largest directory (1000000), FILES that of the largest tree (100000); the other two sizes
# are a tenth and a hundredth. Everything lies in memory (REMOFILE_BENCH_DIR, /dev/shm; about 2 GiB at these sizes).
# Whole processes are measured, client and server together, over REMOFILE_BENCH_RUNS (3) runs; processor time and not
# wall time, which changes with what else the machine does. Fails where the largest size costs more than MAX_GROWTH (3)
# times as much an entry as the cheapest of the smaller ones, or a process has ever had more than MAX_MIB (64) resident.
entries=${1:-1000000}
files=${2:-100000}
runs=${REMOFILE_BENCH_RUNS:-3}
max_growth=${MAX_GROWTH:-3}
max_mib=${MAX_MIB:-64}

name=sizes
# shellcheck source=prologue.sh
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

# Processor time in seconds and peak resident size in KiB of a command that succeeds. The peak is the kernel's, and not
# below that of the interpreter that started it: about 10 MiB.
measured() {
    python3 -c '
import os, sys
quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
if status != 0:
    sys.exit(f"{sys.argv[1:]}: status {status}")
print(f"{usage.ru_utime + usage.ru_stime:.4f} {usage.ru_maxrss}")
' "$@"
}

# A directory of that many empty files, with names of that many bytes.
make_directory() {
    mkdir -p "$1"
    (cd "$1" && seq -f "%0$3.0f" 1 "$2" | xargs touch)
}

# That many files of some bytes each, a hundred to a directory.
make_tree() {
    local directory
    for ((directory = 0; directory < $2 / 100; directory++)); do
        mkdir -p "$1/$directory"
        seq "$((directory * 100))" "$((directory * 100 + 99))" | split -l 1 -a 2 -d - "$1/$directory/file-"
    done
}

list() { measured "$remofile" --quiet list "/$1"; }
upload() {
    rm -rf "$scratch/served/up"
    measured "$remofile" --quiet upload -r "$scratch/$1" /up
}
download() {
    rm -rf "$scratch/down"
    measured "$remofile" --quiet download -r "/$1" "$scratch/down"
}

# Measures one thing at three sizes, each with a server of its own: row WHAT COUNT COMMAND NAME for each.
row() {
    local what=$1 count=$2 spent=0 peak=0 run seconds kib
    start_server
    for ((run = 0; run < runs; run++)); do
        read -r seconds kib < <("$3" "$4")
        spent=$(awk -v one="$spent" -v other="$seconds" 'BEGIN { print one + other }')
        ((kib > peak)) && peak=$kib
    done
    local served ticks
    served=$(awk '/^VmHWM:/ { print $2 }' "/proc/$server/status")
    # utime and stime, behind the name in parentheses.
    ticks=$(sed 's/.*) //' "/proc/$server/stat" | awk '{ print $12 + $13 }')
    stop_server
    spent=$(awk -v client="$spent" -v ticks="$ticks" -v hertz="$(getconf CLK_TCK)" -v runs="$runs" \
        'BEGIN { print (client + ticks / hertz) / runs }')
    awk -v what="$what" -v count="$count" -v seconds="$spent" -v client="$peak" -v server="$served" 'BEGIN {
        print what, count, seconds * 1e6 / count, client / 1024, server / 1024
    }' >>"$scratch/rows"
    tail -n 1 "$scratch/rows" | awk '{ printf "%-14s %9d %12.1f %12.1f %12.1f\n", $1, $2, $3, $4, $5 }'
}

printf '%-14s %9s %12s %12s %12s\n' what entries 'cpu µs/entry' 'client MiB' 'server MiB'
for name_bytes in 16 200; do
    for size in $((entries / 100)) $((entries / 10)) "$entries"; do
        make_directory "$scratch/served/listed" "$size" "$name_bytes"
        row "names-of-$name_bytes" "$size" list listed
        rm -rf "$scratch/served/listed"
    done
done
for size in $((files / 100)) $((files / 10)) "$files"; do
    make_tree "$scratch/tree" "$size"
    row tree-up "$size" upload tree
    diff -r "$scratch/tree" "$scratch/served/up"
    row tree-down "$size" download up
    diff -r "$scratch/tree" "$scratch/down"
    rm -rf "$scratch/tree" "$scratch/served/up" "$scratch/down"
done

echo
awk -v max_growth="$max_growth" -v max_mib="$max_mib" '
    { if (!($1 in cheapest)) order[++kinds] = $1 }
    $1 in last && (!($1 in cheapest) || last[$1] < cheapest[$1]) { cheapest[$1] = last[$1] }
    !($1 in last) { cheapest[$1] = $3 }
    { last[$1] = $3 }
    $4 > max_mib { printf "%s of %d: %.1f MiB in the client\n", $1, $2, $4; failed = 1 }
    $5 > max_mib { printf "%s of %d: %.1f MiB in the server\n", $1, $2, $5; failed = 1 }
    END {
        for (kind = 1; kind <= kinds; kind++) {
            growth = last[order[kind]] / cheapest[order[kind]]
            printf "%-14s costs %.2f times as much an entry at the largest size\n", order[kind], growth
            if (growth > max_growth) { print "which is more than " max_growth; failed = 1 }
        }
        exit failed
    }' "$scratch/rows"
