#!/usr/bin/env bash
# Changes the source of the mutation server, one place at a time, and runs the suite against each mutant. A mutant that
# survives means a missing case, unless equivalent-mutants.txt explains why no client can detect it.
#   conformance/mutants.sh --all [--jobs J]       run every mutant: many hours; J at a time
#   conformance/mutants.sh --sample N [--seed S]  run N of them, the same ones for the same seed
#   conformance/mutants.sh --list                 list them
# Needs cargo-mutants and python3. Uses the suite that REMOFILE_CONFORMANCE names, or builds it. Works on a copy of the
# tree below the target directory, and keeps that copy with its build. Exit code 1: a mutant survives, or a line of
# equivalent-mutants.txt is stale.
set -euo pipefail
cd "$(dirname "$0")/.."

sample=0 seed=1 jobs=1 only_list=
while [ $# -gt 0 ]; do
    case $1 in
        --all) sample=0 ;;
        --list) only_list=1 ;;
        --sample) sample=$2; shift ;;
        --seed) seed=$2; shift ;;
        --jobs) jobs=$2; shift ;;
        *) sed -n '2,9s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift
done

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Excluded: the mutations and what only they and the legal variants use, the command line, which is no part of the
# protocol, and the limits, which are the server's own choice.
mutants=(cargo mutants -p remofile-mutants --features mutants --exclude 'conformance/mutants/src/mutations/**'
    --exclude '**/mutated.rs' --exclude '**/command.rs' --exclude '**/main.rs' --exclude '**/behaviour.rs'
    --exclude '**/variants.rs' --exclude '**/limits.rs' --exclude '**/lax_decoder.rs' --exclude '**/lax_encoder.rs'
    --exclude '**/relay.rs' --exclude '**/interceptor.rs' --exclude '**/plaintext.rs')
"${mutants[@]}" --list --json > "$scratch/every.json"
# A mutant of the condition of a mutation makes that mutation, which the self-test kills, or has no effect. A sample is drawn
# by a hash of seed and name, so that a new line does not change the rest of the sample.
python3 - "$scratch/every.json" "$sample" "$seed" "$scratch/lone" > "$scratch/chosen" <<'PYTHON'
import collections, hashlib, json, re, sys

every, sample, seed = json.load(open(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
sources = {}

def is_of_a_mutation(mutant):
    lines = sources.setdefault(mutant["file"], open(mutant["file"]).read().split("\n"))
    first, last = (mutant["span"][end]["line"] for end in ("start", "end"))
    # With the lines around it: the condition of a mutation may take several lines, and its effect stands below.
    text = "\n".join(lines[max(first - 3, 0) : (last if last - first < 12 else first) + 1])
    if re.search(r"mutations::|variants::|\b(has|selects)\(|(?<!/)// .*\bmutation\b", text):
        return True
    # The doc comment of a function that only mutations use begins with that.
    line = mutant["function"]["span"]["start"]["line"] - 1 if mutant["function"] else len(lines) - 1
    return bool(re.match(r"\s*/// A (mutation|legal variant)\b", lines[line]))

# Flags have no bits in common: whether one of two or exactly one is the same.
def is_the_same(mutant):
    first = mutant["span"]["start"]["line"]
    return "replace | with ^" in mutant["name"] and "Flags::" in sources[mutant["file"]][first - 1]

# Without line and column, which change with every line above.
def place(mutant):
    return re.sub(r"^([^:]+):\d+:\d+: ", r"\1: ", mutant["name"])

names, alike = [], collections.Counter()
for mutant in every:
    if not is_of_a_mutation(mutant) and not is_the_same(mutant):
        alike[place(mutant)] += 1
        drawn = hashlib.sha256(f"{seed} {place(mutant)} {alike[place(mutant)]}".encode()).digest()
        names.append((drawn, mutant["name"]))
# A place that several mutants have is of more than those that were drawn.
with open(sys.argv[4], "w") as lone:
    lone.writelines(f"{place}\n" for place, count in sorted(alike.items()) if count == 1 or not sample)
if sample:
    chosen = {name for _, name in sorted(names)[:sample]}
    names = [(drawn, name) for drawn, name in names if name in chosen]
for _, name in names:
    print(name)
PYTHON
if [ -n "$only_list" ]; then
    cat "$scratch/chosen"
    exit
fi

if [ -z "${REMOFILE_CONFORMANCE:-}" ]; then
    cargo build -p conformance
    REMOFILE_CONFORMANCE=$target/debug/conformance
fi
cp "$REMOFILE_CONFORMANCE" "$scratch/conformance"
export REMOFILE_CONFORMANCE=$scratch/conformance

copy=$target/mutants/tree
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - --ignore-failed-read | tar -x -C "$copy"

# Each as a pattern of its own: its name with everything quoted that a pattern could mean.
patterns=()
while read -r name; do
    patterns+=(--re "^$(sed -E 's/[][\\.*^$+?(){}|]/\\&/g' <<< "$name")\$")
done < "$scratch/chosen"
mutants+=("${patterns[@]}" --output "$scratch" --baseline skip --timeout 300 --no-shuffle --colors never)
status=0
# No baseline run: the self-test checks that the suite passes against the unchanged server. With several jobs each has a
# copy of the tree, and builds it from scratch.
if [ "$jobs" = 1 ]; then
    (cd "$copy" && CARGO_TARGET_DIR=$target/mutants/built "${mutants[@]}" --in-place -- --test suite) || status=$?
else
    (cd "$copy" && env -u CARGO_TARGET_DIR "${mutants[@]}" --jobs "$jobs" -- --test suite) || status=$?
fi
# 2: some survive; 3: some made the suite time out, which counts as detected.
case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac

# Beside those of the patterns, cargo-mutants 27.1 makes all that delete a field of a struct with a base.
places() { { grep -hxFf "$scratch/chosen" "$@" || true; } | sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' | sort -u; }
places "$scratch/mutants.out/missed.txt" > "$scratch/missed"
places "$scratch/mutants.out/caught.txt" "$scratch/mutants.out/timeout.txt" > "$scratch/caught"
sed -nE '/^(#|$)/!s/ — .*//p' conformance/equivalent-mutants.txt | sort -u > "$scratch/explained"
comm -23 "$scratch/missed" "$scratch/explained" > "$scratch/alive"
sort -o "$scratch/lone" "$scratch/lone"
comm -23 "$scratch/caught" "$scratch/missed" | comm -12 - "$scratch/explained" | comm -12 - "$scratch/lone" > "$scratch/stale"
if [ "$sample" = 0 ]; then
    # Explained mutants have to exist.
    sort -u "$scratch/missed" "$scratch/caught" | comm -13 - "$scratch/explained" >> "$scratch/stale"
fi
sed 's/^/survived: /' "$scratch/alive"
sed 's/^/stale in equivalent-mutants.txt: /' "$scratch/stale"
echo "mutants: $(wc -l < "$scratch/caught") killed, $(wc -l < "$scratch/missed") missed," \
    "$(wc -l < "$scratch/alive") of them without a reason"
[ ! -s "$scratch/alive" ] && [ ! -s "$scratch/stale" ]
