#!/usr/bin/env bash
# Everything that must hold before a change is merged. Installs what it needs on Debian as root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
  cat <<'USAGE'
Usage: ./test.sh [--full]

Checks formatting, lints, documentation, the web build, and runs every test: against a PostgreSQL,
a Redis, a browser and a window of its own, each on free ports and in temporary folders.

  --full    also: cargo-deny (licences, advisories), the long random tests, and a minute of every fuzz target
  --help    this text
USAGE
}

full=no
for option in "$@"; do
  case $option in
    --full) full=yes ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done

# step NAME COMMAND...: runs it and says how long it took.
step() {
  local name=$1 began=$SECONDS
  shift
  say "$name"
  "$@" </dev/null || fail "$name failed."
  note "$name: $((SECONDS - began)) s"
}

have_gl_driver() { compgen -G '/usr/lib/*/dri/swrast_dri.so' >/dev/null; }
have_font() { fc-list 2>/dev/null | grep "$1" >/dev/null; }

install_tools() {
  need_rust
  rustup component list --installed 2>/dev/null | grep '^clippy' >/dev/null ||
    rustup component add rustfmt clippy
  need gcc have cc
  if [ "$full" = yes ]; then need g++ have c++; fi
  need postgresql have_postgres
  need redis-server have redis-server
  need chromium have chromium
  need chromium-driver have chromedriver
  need xvfb have Xvfb
  need xdotool have xdotool
  need imagemagick have import
  need libgl1-mesa-dri have_gl_driver
  need libegl1 have_library libEGL.so.1
  need libxkbcommon-x11-0 have_library libxkbcommon-x11.so.0
  need libxcursor1 have_library libXcursor.so.1
  need libxi6 have_library libXi.so.6
  need libfontconfig1 have_library libfontconfig.so.1
  need fontconfig have fc-list
  need fonts-noto-core have_font NotoSansDevanagari
  need fonts-noto-cjk have_font NotoSansCJK
  need brotli have brotli
  install_missing
}

lint_scripts() {
  if have shellcheck; then
    shellcheck ./*.sh scripts/*.sh client-egui/*.sh fuzz/*.sh .ci/run
  else
    note 'shellcheck is not installed; skipped'
  fi
}

lint_web() {
  cargo clippy --quiet --package client-egui --lib --target wasm32-unknown-unknown -- -D warnings
}

document() { RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps; }

deny() {
  local root=${CARGO_TARGET_DIR:-target}/tools version=0.20.2
  if ! "$root/bin/cargo-deny" --version 2>/dev/null | grep "$version" >/dev/null; then
    cargo install --quiet --locked --root "$root" --version "$version" cargo-deny
  fi
  "$root/bin/cargo-deny" check
}

# Incremental files are of no use to a machine that builds once, and they double its disk use.
if [ -n "${CI-}" ]; then export CARGO_INCREMENTAL=0; fi

step 'Tools' install_tools
step 'Formatting' cargo fmt --all --check
step 'Scripts' lint_scripts
step 'Lints' cargo clippy --quiet --workspace --all-targets -- -D warnings
step 'Lints of the web viewer' lint_web
step 'Documentation' document
step 'Web viewer' client-egui/build-web.sh
if [ $full = yes ]; then
  step 'Dependencies' deny
  step 'Fuzzing' fuzz/run.sh --seconds 60
  export ROWCAST_ORACLE_CHECKS=5000 PROPTEST_CASES=5000
else
  # Every change is judged by the same random tables and views; --full draws new ones.
  export ROWCAST_ORACLE_SEED=${ROWCAST_ORACLE_SEED:-20261121} ROWCAST_ADVICE_SEED=${ROWCAST_ADVICE_SEED:-20261121}
fi
step 'Programs' cargo build --quiet --workspace --bins
step 'Test programs' cargo test --quiet --workspace --all-targets --no-run
say "Tests (the steps before took $SECONDS s)"
results=$(mktemp)
status=0
cargo test --workspace --all-targets --no-fail-fast </dev/null 2>&1 | tee "$results" || status=$?
# The runner closes with the last crate's count only.
awk '/^test result:/ { passed += $4; failed += $6 }
     END { print passed + 0 " passed, " failed + 0 " failed" }' "$results"
rm -f "$results"
[ "$status" -eq 0 ]
