#!/usr/bin/env bash
# Trains one preset with several losses and several seeds, one after another, and reports the accuracy by
# number of test time steps: FOLDER/PRESET.csv has every run, and the table of docs/src/results.md is printed.
# Existing runs are kept, so that it can be continued after an interruption. The environment variables STEPS
# and TKS are the test steps and the program.
#
#   benches/results/losses.sh FOLDER PRESET "LOSS ..." "SEED ..." [--set key=value ...]
#
# A loss is a value for `--set loss=`: tks, ce, tet, or a table such as {tks={no_correct="skip"}}, without
# spaces.
set -euo pipefail
tks=${TKS:-target/release/tks}
steps=${STEPS:-1,2,3,4,5,6,7,8,9,10}
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

# One line per run and number of steps in a file, then mean and standard deviation over the seeds as a table.
table=$folder/$preset.csv
{
    echo "preset,loss,seed,test_steps,accuracy"
    for loss in $losses; do
        name=$(tr -c '[:alnum:]_\n' '-' <<<"$loss")
        for seed in $seeds; do
            "$tks" eval "$folder/$preset-$name-$seed" --json --time-steps "$steps" |
                sed -E "s/[^0-9]*([0-9]+)[^0-9]*([0-9.]+).*/$preset,${loss//,/ },$seed,\1,\2/"
        done
    done
} >"$table.new"
mv "$table.new" "$table"
awk -F, 'NR > 1 {
    if (!($2 in seen)) { seen[$2] = 1; losses[++n] = $2 }
    if (!($4 in step)) { step[$4] = 1; steps[++m] = $4 }
    count[$2, $4]++; sum[$2, $4] += 100 * $5; square[$2, $4] += 10000 * $5 * $5
} END {
    printf "| test steps |"; for (j = 1; j <= m; j++) printf " %s |", steps[j]
    printf "\n|---|"; for (j = 1; j <= m; j++) printf "---|"
    for (i = 1; i <= n; i++) {
        printf "\n| %s |", losses[i]
        for (j = 1; j <= m; j++) {
            c = count[losses[i], steps[j]]; mean = sum[losses[i], steps[j]] / c
            variance = c > 1 ? (square[losses[i], steps[j]] - c * mean * mean) / (c - 1) : 0
            printf " %.1f ± %.1f |", mean, sqrt(variance > 0 ? variance : 0)
        }
    }
    printf "\n"
}' "$table"
