#!/usr/bin/env bash
# Trains one preset with several losses over several seeds, one after another, and prints accuracy by test time steps:
# the tables of docs/src/results.md. Runs that are there are kept, so that it goes on where it was ended.
#
#   benches/results/losses.sh FOLDER PRESET "LOSS ..." "SEED ..." [--set key=value ...]
#
# A loss is what `--set loss=` takes: tks, ce, tet, or a table such as {tks={no_correct="skip"}}, without spaces.
set -euo pipefail
tks=${TKS:-target/release/tks}
folder=$1 preset=$2 losses=$3 seeds=$4
shift 4
mkdir -p "$folder"
for seed in $seeds; do
    for loss in $losses; do
        name=$(tr -c '[:alnum:]_\n' '-' <<<"$loss")
        run=$folder/$preset-$name-$seed
        [ -f "$run/evaluation.json" ] && continue
        rm -rf "$run"
        "$tks" train "$preset" --run "$run" --quiet --set "loss=$loss" --set "seed=$seed" --set output.report=false \
            --set output.tensorboard=false "$@" >"$run.out" 2>&1 || { cat "$run.out" >&2; exit 1; }
    done
done
for loss in $losses; do
    name=$(tr -c '[:alnum:]_\n' '-' <<<"$loss")
    set -- "$folder/$preset-$name-"*/
    first=$1
    shift
    beside=()
    for run in "$@"; do beside+=(--beside "$run"); done
    echo "$preset $loss"
    "$tks" report "$first" "${beside[@]}" | grep -v '^report'
done
