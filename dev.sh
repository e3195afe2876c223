#!/usr/bin/env bash
# Runs the server and the web viewer, and rebuilds what you save: the server restarts (viewers
# reconnect and resume), the page reloads itself. Options go to the server. Ctrl-C stops everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

case ${1-} in
  -h | --help)
    sed -n '2,3s/^# //p' "$0"
    exit
    ;;
esac

target=${CARGO_TARGET_DIR:-target}
web=$target/web-dev
server_pid=''
server_sources=(Cargo.toml Cargo.lock protocol view-index migrations private-postgres seed server)
web_sources=(Cargo.toml Cargo.lock protocol client-egui)

stop_server() {
  [ -n "$server_pid" ] || return 0
  kill -TERM "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  server_pid=''
}
trap stop_server EXIT
trap 'exit 130' INT TERM

build_server() {
  say 'Building the server'
  cargo build --quiet --package server --bin rowcast
}

start_server() {
  stop_server
  # In a process group of its own: Ctrl-C reaches it once, from here.
  set -m
  "$target/debug/rowcast" --web-dir "$web" "$@" </dev/null &
  server_pid=$!
  set +m
}

# A copy of the web viewer whose page asks every second whether there is a newer one.
build_web() {
  say 'Building the web viewer'
  client-egui/build-web.sh || return 1
  mkdir -p "$web"
  cp -R "$target/web-dist/." "$web/"
  rm -f "$web/index.html.br" "$web/index.html.gz"
  cp scripts/dev-reload.js "$web/"
  sed 's#</head>#<script src="dev-reload.js" defer></script></head>#' \
    "$target/web-dist/index.html" >"$web/index.html"
  date +%s >"$web/build-id.txt"
}

# Whether a source was saved after the stamp.
saved_since() {
  local stamp=$1
  shift
  [ -n "$(find "$@" -name '*.swp' -prune -o -type f -newer "$stamp" -print -quit)" ]
}

need_rust
mkdir -p "$target"
touch "$target/.dev-server" "$target/.dev-web"
if ! build_server || ! build_web; then fail 'The first build failed.'; fi
start_server "$@"

while sleep 1; do
  if saved_since "$target/.dev-web" "${web_sources[@]}"; then
    touch "$target/.dev-web"
    build_web || note 'The page stays as it was.'
  fi
  if saved_since "$target/.dev-server" "${server_sources[@]}"; then
    touch "$target/.dev-server"
    if build_server; then start_server "$@"; else note 'The server stays as it was.'; fi
  fi
  if [ -n "$server_pid" ] && ! kill -0 "$server_pid" 2>/dev/null; then
    wait "$server_pid" || note "The server ended (status $?). Save a file to start it again."
    server_pid=''
  fi
done
