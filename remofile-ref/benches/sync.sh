#!/usr/bin/env bash
# Synchronises directories of small files, side by side with `rsync -a` over ssh on this machine.
#
#   remofile-ref/benches/sync.sh [UNCHANGED [NEW [PAIRS]]]
#
# UNCHANGED is how many files there are where nothing has changed (100000), NEW how many files of 4 KiB are pushed for the
# first time (10000), PAIRS how often each comparison is made (5). The sshd is one of its own, on a free port of loopback
# with throw-away keys and no other user. Whole processes are timed, in alternating order, with all files in memory
# (REMOFILE_BENCH_DIR, /dev/shm); the median of the ratios counts. Fails where a median is above MAX_RATIO (1.0), or the
# client has had more than MAX_MIB (256) resident.
#
# Needs rsync, and sshd of openssh-server.

unchanged=${1:-100000}
new=${2:-10000}
pairs=${3:-5}
max_ratio=${MAX_RATIO:-1.0}
max_mib=${MAX_MIB:-256}

name=sync
# shellcheck source=prologue.sh
. "$(dirname "${BASH_SOURCE[0]}")/prologue.sh"

sshd_program=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd) || { echo "sshd is missing: install openssh-server" >&2; exit 1; }
for tool in rsync ssh ssh-keygen; do
    command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 1; }
done
export XDG_STATE_HOME=$scratch/state XDG_CONFIG_HOME=$scratch/config

sshd=
stop_all() {
    [ -z "$sshd" ] || kill "$sshd" 2>/dev/null || true
    finish
}
trap stop_all EXIT

# Starts an sshd that lets this user in by one key, and waits until it answers.
start_sshd() {
    mkdir -m 700 "$scratch/ssh"
    ssh-keygen -q -t ed25519 -N '' -f "$scratch/ssh/host"
    ssh-keygen -q -t ed25519 -N '' -f "$scratch/ssh/client"
    cp "$scratch/ssh/client.pub" "$scratch/ssh/authorized"
    # Where root starts it, it wants this directory.
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    local attempt port deadline
    for attempt in 1 2 3 4 5; do
        port=$((20000 + (RANDOM + attempt) % 10000))
        cat >"$scratch/ssh/config" <<CONFIG
ListenAddress 127.0.0.1:$port
HostKey $scratch/ssh/host
AuthorizedKeysFile $scratch/ssh/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
CONFIG
        "$sshd_program" -D -e -f "$scratch/ssh/config" 2>"$scratch/ssh/log" &
        sshd=$!
        over_ssh="ssh -F none -p $port -i $scratch/ssh/client -o IdentitiesOnly=yes -o BatchMode=yes \
-o StrictHostKeyChecking=no -o UserKnownHostsFile=$scratch/ssh/known -o LogLevel=ERROR"
        deadline=$((SECONDS + 10))
        while kill -0 "$sshd" 2>/dev/null && ((SECONDS < deadline)); do
            # shellcheck disable=SC2086
            $over_ssh 127.0.0.1 true 2>/dev/null && return
        done
        kill "$sshd" 2>/dev/null || true
    done
    cat "$scratch/ssh/log" >&2
    echo "no sshd could be started" >&2
    exit 1
}

# Makes a directory of so many files, a hundred in each directory.
make_tree() {
    local top=$1 files=$2 bytes=$3 directory
    mkdir "$top"
    for ((directory = 0; directory < files / 100; directory++)); do
        mkdir "$top/$directory"
        head -c $((bytes * 100)) /dev/urandom | split -b "$bytes" -a 2 -d - "$top/$directory/file-"
    done
}

by_rsync() { rsync -a -e "$over_ssh" "$1/" "127.0.0.1:$2/"; }
by_push() { "$remofile" --quiet sync --push "$1" "$2"; }
by_sync() { "$remofile" --quiet sync "$1" "$2"; }

# Times one comparison: what is measured, which one of ours, the local directory, the target of rsync and that of ours.
compare() {
    local what=$1 ours=$2 pair=$3 local=$4 theirs=$5 target=$6 order rsync_seconds=0 our_seconds=0 which
    order="rsync ours"
    ((pair % 2)) || order="ours rsync"
    for which in $order; do
        if [ "$which" = rsync ]; then
            timed by_rsync "$local" "$theirs"; rsync_seconds=$seconds
        else
            timed "$ours" "$local" "$target"; our_seconds=$seconds
        fi
    done
    awk -v what="$what" -v pair="$pair" -v theirs="$rsync_seconds" -v ours="$our_seconds" 'BEGIN {
        printf "%-16s %4d %10.3f %10.3f %7.2f\n", what, pair, theirs, ours, ours / theirs
    }' | tee -a "$scratch/$what"
}

start_sshd
start_server
mkdir "$scratch/rsynced"

printf '%-16s %4s %10s %10s %7s\n' what pair 'rsync s' 'remofile s' ratio
make_tree "$scratch/new" "$new" 4096
for what in first-push first-sync; do
    ours=by_push
    [ "$what" = first-push ] || ours=by_sync
    for ((pair = 1; pair <= pairs; pair++)); do
        compare "$what" "$ours" "$pair" "$scratch/new" "$scratch/rsynced/$what-$pair" "/$what-$pair"
        diff -r "$scratch/new" "$scratch/served/$what-$pair"
        rm -rf "$scratch/rsynced/$what-$pair" "$scratch/served/$what-$pair"
    done
done

make_tree "$scratch/same" "$unchanged" 512
by_rsync "$scratch/same" "$scratch/rsynced/same"
# What is too fresh to be trusted is hashed again by the run behind the first one.
for ((run = 1; run <= 2; run++)); do
    by_push "$scratch/same" /pushed
    by_sync "$scratch/same" /synced
done
for ((pair = 1; pair <= pairs; pair++)); do
    compare unchanged-push by_push "$pair" "$scratch/same" "$scratch/rsynced/same" /pushed
    compare unchanged-sync by_sync "$pair" "$scratch/same" "$scratch/rsynced/same" /synced
done
diff -r "$scratch/same" "$scratch/served/synced"

echo
failed=0
for what in first-push first-sync unchanged-push unchanged-sync; do
    ratio=$(awk '{ print $5 }' "$scratch/$what" | median)
    printf '%-16s median ratio %s of rsync over ssh\n' "$what" "$ratio"
    awk -v ratio="$ratio" -v most="$max_ratio" 'BEGIN { exit ratio > most }' && continue
    echo "which is more than $max_ratio"
    failed=1
done
for what in unchanged first; do
    target=/synced
    [ "$what" = unchanged ] || target=/again
    peak=$(resident_of "$remofile" --quiet sync "$scratch/same" "$target")
    printf 'resident         %-16s %s MiB of %s files\n' "$what" "$peak" "$unchanged"
    awk -v peak="$peak" -v most="$max_mib" 'BEGIN { exit peak > most }' && continue
    echo "which is more than $max_mib"
    failed=1
done
exit "$failed"
