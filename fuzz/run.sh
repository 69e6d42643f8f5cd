#!/bin/sh
# Fuzzes one target: sh fuzz/run.sh <target> <seconds> [folder with seeds]
# Like `cargo fuzz run`, but without installing it and with the stable compiler: coverage counters and limits on
# memory and time. SANITIZER=address adds the address sanitizer, for readers with unsafe code.
set -eu
cd "$(dirname "$0")"
target=$1
seconds=$2
seeds=${3:-}
host=$(rustc -vV | sed -n 's/^host: //p')
sanitizer=${SANITIZER:+-Zsanitizer=$SANITIZER}
export ASAN_OPTIONS="quarantine_size_mb=16:${ASAN_OPTIONS:-}"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$sanitizer -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions" \
    cargo build --release --target "$host" --bin "$target"
mkdir -p "corpus/$target" "artifacts/$target"
# shellcheck disable=SC2086
exec "target/$host/release/$target" "corpus/$target" $seeds -artifact_prefix="artifacts/$target/" \
    -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=512 -timeout=20 -max_len=65536 -print_final_stats=1
