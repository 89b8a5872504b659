#!/usr/bin/env bash
# Transfers a directory of small files by the command, side by side with a program that calls the library.
#
#   remofile-ref/benches/trees.sh [FILES [PAIRS]]
#
# FILES is how many files of 4 KiB there are (10000), PAIRS how often each comparison is made (5). Whole processes are
# timed, in alternating order, with all files in memory (REMOFILE_BENCH_DIR, /dev/shm); the median of the ratios counts.
# The command is measured as in a script, with a line for each file (-v), and with its bar on a terminal, for which
# util-linux's `script` makes one. Fails where a median is below MIN_RATIO (0.9), or the command has ever had more than
# MAX_MIB (64) resident.

files=${1:-10000}
pairs=${2:-5}
min_ratio=${MIN_RATIO:-0.9}
max_mib=${MAX_MIB:-64}

name=trees
built_with='--example tree'
# shellcheck source=prologue.sh
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"
tree=$built/examples/tree

mkdir "$scratch/tree"
for ((directory = 0; directory < files / 100; directory++)); do
    mkdir "$scratch/tree/$directory"
    head -c 409600 /dev/urandom | split -b 4096 -a 2 -d - "$scratch/tree/$directory/file-"
done
start_server

# Removes what the last transfer brought.
prepare() {
    if [ "$1" = upload ]; then rm -rf "$scratch/served/up"; else rm -rf "$scratch/down"; fi
}

by_library() {
    if [ "$1" = upload ]; then "$tree" upload "$scratch/tree" /up; else "$tree" download /tree "$scratch/down"; fi
}

by_command() {
    local way=$1
    shift
    if [ "$way" = upload ]; then
        "$remofile" "$@" upload -r "$scratch/tree" /up
    else
        "$remofile" "$@" download -r /tree "$scratch/down"
    fi
}

by_command_on_terminal() {
    local command
    if [ "$1" = upload ]; then
        command="'$remofile' --progress bar upload -r '$scratch/tree' /up"
    else
        command="'$remofile' --progress bar download -r /tree '$scratch/down'"
    fi
    script --quiet --return --command "$command" /dev/null </dev/null
}

# The library under the same `script`, so that both start as many processes.
by_library_on_terminal() {
    local command
    if [ "$1" = upload ]; then
        command="'$tree' upload '$scratch/tree' /up"
    else
        command="'$tree' download /tree '$scratch/down'"
    fi
    script --quiet --return --command "$command" /dev/null </dev/null
}

plain() { by_command "$1" --quiet; }
verbose() { by_command "$1" -v; }
bar() { by_command_on_terminal "$1"; }

cp -r "$scratch/tree" "$scratch/served/tree"
printf '%-9s %-8s %4s %12s %12s %7s\n' what output pair 'library /s' 'command /s' ratio
for what in upload download; do
    for output in plain verbose bar; do
        baseline=by_library
        [ "$output" != bar ] || baseline=by_library_on_terminal
        for ((pair = 1; pair <= pairs; pair++)); do
            order="library command"
            ((pair % 2)) || order="command library"
            for which in $order; do
                prepare "$what"
                if [ "$which" = library ]; then
                    timed "$baseline" "$what"; library=$seconds
                else
                    timed "$output" "$what"; command=$seconds
                fi
            done
            awk -v what="$what" -v output="$output" -v pair="$pair" -v library="$library" -v command="$command" \
                -v files="$files" 'BEGIN {
                printf "%-9s %-8s %4d %12.0f %12.0f %7.2f\n", what, output, pair, files / library, files / command, library / command
            }' | tee -a "$scratch/$what-$output"
        done
    done
done
prepare upload
plain upload
diff -r "$scratch/tree" "$scratch/served/up"
prepare download
plain download
diff -r "$scratch/tree" "$scratch/down"

echo
failed=0
for what in upload download; do
    for output in plain verbose bar; do
        ratio=$(awk '{ print $6 }' "$scratch/$what-$output" | median)
        printf '%-9s %-8s median ratio %s of the library\n' "$what" "$output" "$ratio"
        awk -v ratio="$ratio" -v least="$min_ratio" 'BEGIN { exit ratio >= least }' || continue
        echo "which is less than $min_ratio"
        failed=1
    done
done
for what in upload download; do
    for flags in --quiet -v --progress=json; do
        prepare "$what"
        if [ "$what" = upload ]; then
            peak=$(resident_of "$remofile" "$flags" upload -r "$scratch/tree" /up)
        else
            peak=$(resident_of "$remofile" "$flags" download -r /tree "$scratch/down")
        fi
        printf 'resident  %-9s %-15s %s MiB\n' "$what" "$flags" "$peak"
        awk -v peak="$peak" -v most="$max_mib" 'BEGIN { exit peak <= most }' && { echo "which is more than $max_mib"; failed=1; }
    done
done
exit "$failed"
