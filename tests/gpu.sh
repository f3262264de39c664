#!/usr/bin/env bash
# All that needs a GPU, on a machine that has one: the tests of tests/cuda on it, then step times beside the CPU's and,
# where python3 has torch and transformer-lens, beside TransformerLens', and the explorer while it trains. One table.
#
#   tests/gpu.sh              needs Rust and the CUDA toolkit, for nvcc; a quarter of an hour
#   STEPS=20 tests/gpu.sh     fewer steps
#   PROGRAM=./headcount TESTS=./cuda-0123 tests/gpu.sh
#                             binaries built elsewhere: needs the driver and cuBLAS alone. `cargo build --release --features cuda`
#                             makes the first, `cargo test --release --features cuda --test cuda --no-run` prints the second
set -euo pipefail
cd "$(dirname "$0")/.."
features=${FEATURES:-cuda} steps=${STEPS:-100}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v nvidia-smi > /dev/null || { echo "tests/gpu.sh: no nvidia-smi: this machine has no NVIDIA driver" >&2; exit 1; }
gpu=$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -1)

if [ -n "${PROGRAM:-}${TESTS:-}" ]; then
  : "${PROGRAM:?names the program that TESTS belongs to}" "${TESTS:?names the test binary that PROGRAM belongs to}"
  program=$(realpath "$PROGRAM")
  export PROGRAM=$program CARGO_MANIFEST_DIR=$PWD
  "$(realpath "$TESTS")" --nocapture --test-threads 1 2>&1 | tee "$work/tests"
else
  cargo build --release --features "$features"
  program=${CARGO_TARGET_DIR:-target}/release/headcount
  cargo test --release --features "$features" --test cuda -- --nocapture --test-threads 1 2>&1 | tee "$work/tests"
fi

# Sizes of a model, as benches/peer.py takes them.
notebook="d_model=64 n_heads=2 d_head=32 d_mlp=256 n_layers=1 n_ctx=128 batch_size=256"
large="d_model=512 n_heads=8 d_head=64 d_mlp=2048 n_layers=4 n_ctx=256 batch_size=256"

settings() { # sizes
  echo "[model]"
  tr ' ' '\n' <<< "$1" | grep -v batch_size
  echo "[task]"
  echo "sequences = 2048"
  echo "[train]"
  echo "epochs = 1000"
  echo "checkpoint_every = 1000000"
  tr ' ' '\n' <<< "$1" | grep batch_size
}

# Samples of utilisation (%) and memory (MiB) while a command runs; prints their mean and largest.
watched() {
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits -lms 200 > "$work/usage" 2> /dev/null &
  local watcher=$!
  "$@"
  kill "$watcher" 2> /dev/null || true
  awk -F, '{ sum += $1; if ($2 > most) most = $2; n += 1 } END { if (n) printf "%.0f %% %.0f MiB", sum / n, most; else print "-" }' \
    "$work/usage" > "$work/used"
}

# Median milliseconds of a step.
measure() { # name sizes device steps
  settings "$2" > "$work/$1.toml"
  rm -rf "$work/run"
  "$program" train --config "$work/$1.toml" --device "$3" --steps "$4" --run "$work/run" 2>&1 |
    tee "$work/said" | sed -nE 's/.*median ([0-9.]+) ms a step.*/\1/p' > "$work/median"
  [ -s "$work/median" ] || { cat "$work/said" >&2; echo - > "$work/median"; }
}

row() { printf '%-10s %14s %14s %16s %20s\n' "$@"; }
table() {
  echo
  echo "$gpu"
  row model cuda cpu TransformerLens "use, memory"
  for name in notebook large; do
    local sizes=${!name} cpu_steps=$steps peer=-
    [ "$name" = large ] && cpu_steps=3
    watched measure "$name" "$sizes" cuda "$steps"
    local cuda; cuda=$(cat "$work/median")
    measure "$name" "$sizes" cpu "$cpu_steps"
    # shellcheck disable=SC2086  # the sizes are words
    if python3 -c 'import torch, transformer_lens' 2> /dev/null; then
      peer=$(python3 benches/peer.py transformer-lens cuda "$steps" $sizes 2> "$work/peer" | tail -1) || { cat "$work/peer" >&2; peer=-; }
    fi
    row "$name" "$cuda ms" "$(cat "$work/median") ms" "$peer ms" "$(cat "$work/used")"
  done
}

# The explorer on a terminal of 120x40, thirty keys a second for ten seconds: frames drawn and steps taken.
explorer() {
  settings "$notebook" > "$work/explored.toml"
  rm -rf "$work/explored"
  { sleep 3; for _ in $(seq 300); do printf l; sleep 0.033; done; printf '\003'; sleep 3; } |
    TERM=xterm-256color script -qfec "stty rows 40 cols 120; '$program' --config '$work/explored.toml' --device cuda --run '$work/explored'" \
      "$work/screen" > /dev/null
  local frames taken
  frames=$(grep -aoF $'\e[?2026h' "$work/screen" | wc -l)
  taken=$(grep -c train_loss "$work/explored/metrics.jsonl")
  echo "explored for 13 s with 30 keys a second: $frames frames, $taken steps"
}

table | tee "$work/table"
explorer
grep -E '^test result' "$work/tests"
