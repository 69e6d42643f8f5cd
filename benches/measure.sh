#!/usr/bin/env bash
# Measures every table of the book's chapters on speed, events, images and data loading again, together with
# the Python peers.
#
#   PYTHON=~/peers-venv/bin/python benches/measure.sh FOLDER [PART ...]
#
# PYTHON must have the packages of benches/peers/requirements.txt. FOLDER receives a file of raw lines and a
# table (.md) for each part: neurons snn convolution training decode frames loader images (default: all).
# CIFAR10 (the folder with data_batch_1.bin) and PHOTOGRAPHS (any folder of photographs) are for the image
# loader, which is skipped without them. TINY=1 runs the smallest sizes once, to check that everything works.
# THREADS is 2 unless set. A part that fails is reported at the end; the others are measured anyway. Run
# nothing else at the same time.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:?a Python with the packages of benches/peers/requirements.txt}
folder=${1:?a folder for the results}
shift
parts=${*:-neurons snn convolution training decode frames loader images}
threads=${THREADS:-2}
tiny=${TINY:-}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
release=$PWD/target/release
failed=()

neurons() {
    local words=()
    [ -n "$tiny" ] && words=(1_threads T4 lif)
    cargo bench -q -p tks-benches --bench neuron -- --table "${words[@]}" >"$folder/neurons.md"
}

snn() {
    local out=$folder/snn.jsonl
    rm -f "$out"
    if [ -n "$tiny" ]; then
        (cd benches/peers/snn && "$python" run_all.py --tiny --rounds 1 --threads 1 --settings default \
            --external "tks=$release/snn" --out "$out")
    else
        (cd benches/peers/snn && "$python" run_all.py --rounds 3 --threads 1 --min-time 0.3 --n 1048576 \
            --workloads lif_kernel --timeout 900 --external "tks=$release/snn" --out "$out" &&
            "$python" run_all.py --rounds 3 --threads 1 --min-time 0.3 --n 1024 --timeout 900 \
                --workloads conv_block,linear_lif --external "tks=$release/snn" \
                --external "tks-bf16=$release/snn --bf16" --out "$out")
    fi || return
    (cd benches/peers/snn && "$python" summarize.py "$out") >"$folder/snn.md"
}

convolution() {
    local options=(--rounds 3)
    [ -n "$tiny" ] && options=(--rounds 1 --images 1 --density 0.3)
    "$release/convolution" --threads "$threads" "${options[@]}" >"$folder/convolution.md"
}

training() {
    local options=(--rounds 3 --runs 2)
    [ -n "$tiny" ] && options=(--rounds 1 --runs 1 --batch 1)
    rm -f "$folder/training.jsonl"
    "$python" benches/peers/training/run_all.py --python "$python" --ours "$release/training" --bf16 \
        --threads "$threads" --out "$folder/training.jsonl" "${options[@]}" >"$folder/training.md"
}

decode() {
    local options=(--rounds 5) script=benches/peers/events/decode.py
    [ -n "$tiny" ] && options=(--rounds 1 --seconds 0.01 --formats atis)
    [ -d "$folder/decode" ] || "$python" $script make --dir "$folder/decode" || return
    "$python" $script run --dir "$folder/decode" --tks "$release/event_decode" "${options[@]}" >"$folder/decode.jsonl" &&
        "$python" $script table "$folder/decode.jsonl" >"$folder/decode.md"
}

frames() {
    local options=(--rounds 5) script=benches/peers/events/frames.py
    [ -n "$tiny" ] && options=(--rounds 1 --seconds 0.01 --workloads nmnist)
    [ -d "$folder/frames" ] || "$python" $script make --dir "$folder/frames" || return
    "$python" $script run --dir "$folder/frames" --tks "$release/event_frames" "${options[@]}" >"$folder/frames.jsonl" &&
        "$python" $script table "$folder/frames.jsonl" >"$folder/frames.md"
}

loader() {
    "$python" benches/peers/events/loader.py "$release/examples/loader_epoch" --rounds "${tiny:-3}" >"$folder/loader.md"
}

images() {
    local given=()
    [ -n "${CIFAR10:-}" ] && given+=(--cifar10 "$CIFAR10")
    [ -n "${PHOTOGRAPHS:-}" ] && given+=(--photographs "$PHOTOGRAPHS")
    if [ ${#given[@]} -eq 0 ]; then
        echo "images: left out, neither CIFAR10 nor PHOTOGRAPHS is set"
        return
    fi
    [ -n "$tiny" ] && given+=(--images 8)
    "$python" benches/peers/images/loader.py "$release/examples/image_epoch" "${given[@]}" \
        --rounds "${tiny:-3}" >"$folder/images.md"
}

cargo build --release -p tks-benches || exit
cargo build --release -p tks-events --example loader_epoch || exit
cargo build --release -p tks-images --example image_epoch || exit
for part in $parts; do
    echo "== $part, $(date +%H:%M:%S)"
    "$part" || failed+=("$part")
done
echo "== done, $(date +%H:%M:%S): $folder/*.md${failed:+; failed: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
