#!/usr/bin/env bash
# Runs the fuzz targets, two at a time, and writes what came of them to results/fuzz/runs.csv:
#
#     tests/fuzz/run.sh MINUTES [TARGET...]
#
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`). FUZZ_ARGS: more arguments for libFuzzer, e.g. to go on after
# a fault: "-fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1". Everything is compiled again for coverage, for
# about ten minutes, into tests/fuzz/target or CARGO_TARGET_DIR. An input that breaks a rule of src/lib.rs, takes more
# than 10 s or 1 GiB ends its target; it is kept in tests/fuzz/artifacts, and run again by giving it to the target's
# program. Ends with 1 where there is such an input.
set -euo pipefail
cd "$(dirname "$0")"

minutes=${1:?MINUTES [TARGET...]}
shift
all=(gguf safetensors tokenizer template jsonl haystack csv figures toml)
targets=("${@:-${all[@]}}")

# Stable Rust: coverage needs no sanitizer and no flag of a nightly compiler.
cargo fuzz build --fuzz-dir . --sanitizer none --codegen-units 16
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
export BIN=$target_dir/$(rustc -vV | sed -n 's/^host: //p')/release
"$BIN/seeds" seeds.out

export SECONDS_EACH=$((minutes * 60)) RAYON_NUM_THREADS=1 FUZZ_ARGS=${FUZZ_ARGS:-}
export TMPDIR
TMPDIR=$(mktemp -d "${TMPDIR:-/dev/shm}/spindle-fuzz.XXXXXX")
trap 'rm -rf "$TMPDIR"' EXIT

one() {
    target=$1
    mkdir -p "corpus/$target" "artifacts/$target" logs "$TMPDIR/$target"
    # shellcheck disable=SC2086 # FUZZ_ARGS is a list.
    TMPDIR=$TMPDIR/$target "$BIN/$target" "corpus/$target" "seeds.out/$target" \
        -dict="seeds.out/$target.dict" -artifact_prefix="artifacts/$target/" -max_total_time="$SECONDS_EACH" \
        -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 $FUZZ_ARGS >"logs/$target.log" 2>&1 ||
        echo "$target: ended by a fault, see logs/$target.log"
    rm -rf "${TMPDIR:?}/$target"
}
export -f one
printf '%s\n' "${targets[@]}" | xargs -P 2 -I '{}' bash -c 'one {}'

python3 figures.py "$SECONDS_EACH" "${targets[@]}"
