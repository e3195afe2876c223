#!/usr/bin/env bash
# Lets libFuzzer look for what makes the targets fail. It runs on stable Rust: counting which code is reached
# needs no more than a pass of LLVM's; only the sanitizers would need a nightly compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
Usage: fuzz/run.sh [--seconds N] [TARGET…]

Feeds each target (all of them, if none is named) for N seconds (60 unless told otherwise). What was
interesting is kept in target/fuzz/corpus and continued next time. An input that makes a target fail is
written to fuzz/regressions/TARGET, where the tests feed it again.
USAGE
}

seconds=60
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=$2; shift ;;
    -h | --help) usage; exit ;;
    -*) usage >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if [ ${#targets[@]} -eq 0 ]; then
  targets=(index snapshots summaries values messages filter_text cursors)
fi

# Those that are not the server's are built without it, which is much less to build.
features=guided
case " ${targets[*]} " in *' filter_text '* | *' cursors '*) features=guided,http ;; esac

root=${CARGO_TARGET_DIR:-target}/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
flags='-Cpasses=sancov-module -Ccodegen-units=1 -Cllvm-args=-sanitizer-coverage-level=4'
for what in inline-8bit-counters pc-table trace-compares; do
  flags+=" -Cllvm-args=-sanitizer-coverage-$what"
done
# With --target these flags are not for build scripts.
RUSTFLAGS=$flags cargo build --quiet --package fuzz --bin fuzz --no-default-features \
  --features "$features" --target "$triple" --target-dir "$root"

for target in "${targets[@]}"; do
  corpus=$root/corpus/$target
  found=fuzz/regressions/$target
  mkdir -p "$corpus" "$found"
  printf '%s\n' "Feeding $target for $seconds s"
  FUZZ_TARGET=$target "$root/$triple/debug/fuzz" "$corpus" "$found" \
    -artifact_prefix="$found/" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=1024 \
    -max_len=2048 -print_final_stats=1 -verbosity=0 -print_funcs=0 2>&1 |
    grep -v "# Uses:\|ecommended dictionary\|^WARNING: Failed to find function"
  rmdir "$found" 2>/dev/null || true
done
