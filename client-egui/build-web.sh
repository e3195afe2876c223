#!/usr/bin/env bash
# Builds the web viewer into target/web-dist: WASM, its JavaScript, the page, and a compressed copy of
# each beside it. Does nothing when that is up to date. Needs rustup's wasm32 target and, once, the
# network to install wasm-bindgen's tool into target/tools; compresses with brotli too if it is present.
set -euo pipefail
cd "$(dirname "$0")/.."

built=${CARGO_TARGET_DIR:-target}
dist=$built/web-dist
target=wasm32-unknown-unknown
stamp="$dist/.built"

is_up_to_date() {
  [[ -f "$stamp" ]] || return 1
  local newer
  newer=$(find client-egui/src client-egui/web client-egui/fonts client-egui/build-web.sh client-egui/Cargo.toml \
    protocol/src protocol/Cargo.toml Cargo.toml Cargo.lock -newer "$stamp" -print -quit)
  [[ -z "$newer" ]]
}

if is_up_to_date; then
  echo "web viewer: up to date in $dist"
  exit 0
fi

if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
  rustup target add "$target"
fi

# The tool and the library must be of the very same version.
version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
bindgen=$built/tools/bin/wasm-bindgen
if ! "$bindgen" --version 2>/dev/null | grep -qx "wasm-bindgen $version"; then
  cargo install --quiet wasm-bindgen-cli --version "$version" --root "$built/tools"
fi

cargo build --quiet --profile web --target "$target" --package client-egui --lib

fresh=$(mktemp -d "$built/web-dist.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
# wasm-opt is left out on purpose: it takes longer than the build, its result compresses no better, and
# version 108 (Debian 12) exports the wrong table.
"$bindgen" --target web --no-typescript --remove-name-section --remove-producers-section \
  --out-dir "$fresh" "$built/$target/web/client_egui.wasm"
cp client-egui/web/* "$fresh/"

for file in "$fresh"/*; do
  gzip --best --no-name --keep "$file"
  if command -v brotli >/dev/null; then
    brotli --best --keep "$file"
  fi
done
touch "$fresh/.built"
chmod 755 "$fresh"
rm -rf "$dist"
mv "$fresh" "$dist"
trap - EXIT
size=$(stat --format %s "$dist/client_egui_bg.wasm.gz")
echo "web viewer: built in $dist, $((size / 1024)) KiB of WASM compressed"
