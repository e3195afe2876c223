#!/usr/bin/env bash
# Writes an empty program and library for every crate, so that a build of them builds their
# dependencies: a Docker layer that changes only with the manifests.
set -euo pipefail
for manifest in */Cargo.toml; do
  sources=${manifest%/Cargo.toml}/src
  mkdir -p "$sources"
  echo 'fn main() {}' >"$sources/main.rs"
  : >"$sources/lib.rs"
done
