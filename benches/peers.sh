#!/usr/bin/env bash
# The README's table of step times: headcount beside TransformerLens and plain PyTorch with torch.compile, by turns on one
# idle machine; medians of the rounds. "Tuned" sets glibc's malloc to keep memory.
#
#   benches/peers.sh [MODEL ...]     needs python3 (or PYTHON) with torch and transformer-lens, and a C++ compiler; half an hour
#   ROUNDS=1 STEPS=10 benches/peers.sh notebook
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} rounds=${ROUNDS:-3} steps=${STEPS:-20}
tuned="MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_TOP_PAD_=268435456"
program=${PROGRAM:-${CARGO_TARGET_DIR:-target}/release/headcount}
[ -n "${PROGRAM:-}" ] || cargo build --release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

declare -A sizes=(
  [notebook]="n_layers=1"
  [d_model-128]="d_model=128 d_head=64 d_mlp=512"
  [d_model-256]="d_model=256 d_head=128 d_mlp=1024"
  [4-layers]="n_layers=4"
  [n_ctx-512]="n_ctx=512"
)
addition="d_model=128 n_heads=4 d_head=32 d_mlp=512 n_ctx=3 act_fn=relu normalization_type=none targets=last"
pairs_53="d_vocab=54 d_vocab_out=53 batch_size=1124"
pairs_113="d_vocab=114 d_vocab_out=113 batch_size=3830"

ours() { # settings ...
  "$program" train --steps "$steps" --run "$work/run" "$@" 2>&1 | sed -nE 's/.*median ([0-9.]+) ms a step.*/\1/p'
  rm -rf "$work/run"
}
headcount_of() { # model
  case $1 in
    addition-53) ours --task modular-addition --set task.p=53 --set task.train_fraction=0.4 ;;
    addition-113) ours --task modular-addition ;;
    *) # shellcheck disable=SC2046  # the settings are words
      ours --set train.epochs=1000 $(printf -- '--set model.%s ' ${sizes[$1]}) ;;
  esac
}
peer_sizes() { # model
  case $1 in
    addition-53) echo "$addition $pairs_53" ;;
    addition-113) echo "$addition $pairs_113" ;;
    *) echo "${sizes[$1]}" ;;
  esac
}
peer() { # model kind [environment]
  # shellcheck disable=SC2046,SC2086  # the sizes and the environment are words
  env ${3:-} "$python" benches/peer.py "$2" cpu "$steps" $(peer_sizes "$1") 2> "$work/said" || { cat "$work/said" >&2; echo nan; }
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

grep -m1 'model name' /proc/cpuinfo || true
row() { printf '%-14s %12s %18s %18s %12s %18s\n' "$@"; }
row "ms a step" headcount TransformerLens "the same, tuned" compiled "compiled, tuned"
[ $# -gt 0 ] || set -- notebook d_model-128 d_model-256 4-layers n_ctx-512 addition-53 addition-113
for model in "$@"; do
  rm -f "$work"/times.*
  for _ in $(seq "$rounds"); do
    headcount_of "$model" >> "$work/times.1"
    peer "$model" transformer-lens >> "$work/times.2"
    peer "$model" transformer-lens "$tuned" >> "$work/times.3"
    peer "$model" compiled >> "$work/times.4"
    peer "$model" compiled "$tuned" >> "$work/times.5"
  done
  row "$model" $(for column in 1 2 3 4 5; do median < "$work/times.$column"; done)
done
