#!/usr/bin/env bash
# Builds the server and the web viewer, then runs them. Run it again as often as you like.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
  cat <<'USAGE'
Usage: ./start.sh [--reset [--yes]] [SERVER OPTIONS]

Builds what is out of date, starts Rowcast and prints its address. Without DATABASE_URL it starts a
private PostgreSQL in .rowcast/ and fills it with demo data once. Ctrl-C stops all of it.

  --reset      ask, then delete the private database and start clean
  --yes        with --reset: do not ask
  --help       this text; ./start.sh -- --help shows the server's options

Every other option goes to the server. Environment: HOST, PORT, DATABASE_URL, REDIS_URL, RUST_LOG,
ROWCAST_DATA_DIR; see .env.example (a file .env beside it is read).
USAGE
}

# Deletes the data folder of the private PostgreSQL, and nothing that does not look like one.
reset_data() {
  local data=$1 answer=no
  [ -d "$data" ] || { note "Nothing to delete: $data does not exist."; return; }
  if [ -n "$(ls -A "$data")" ] && [ ! -d "$data/postgres" ]; then
    fail "$data does not look like a data folder of Rowcast's; it was left alone."
  fi
  # A running server holds the lock, whatever its port.
  if [ -e "$data/postgres/lock" ] && have flock && ! flock -n "$data/postgres/lock" true; then
    fail "Rowcast (process $(cat "$data/postgres/lock")) is running on $data; stop it first."
  fi
  if [ "$2" = no ]; then
    printf 'Delete the database in %s and start clean? (y/N) ' "$data"
    read -r answer || answer=no
    case $answer in [yY] | [yY][eE][sS]) ;; *) echo; fail 'Nothing was deleted.' ;; esac
  fi
  stop_private_postgres "$data/postgres/cluster/postmaster.pid"
  rm -rf -- "$data"
  say "Deleted $data"
}

# A server that was killed leaves its PostgreSQL running: it must not lose its files under its feet.
stop_private_postgres() {
  local pid name deadline=$((SECONDS + 30))
  pid=$(head -n 1 "$1" 2>/dev/null) || return 0
  name=$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null) || return 0
  case $name in *postgres*) ;; *) return 0 ;; esac
  note 'Stopping the private PostgreSQL, which a killed server left running'
  kill -INT "$pid"
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || fail "PostgreSQL (process $pid) does not stop; stop it by hand."
    sleep 0.2
  done
}

reset=no yes=no options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit ;;
    --reset) reset=yes ;;
    --yes) yes=yes ;;
    --port) PORT=${2:?--port needs a number}; shift ;;
    --port=*) PORT=${1#*=} ;;
    --) shift; options+=("$@"); break ;;
    *) options+=("$1") ;;
  esac
  shift
done

if [ -f .env ]; then
  # What is set already wins over the file.
  while IFS='=' read -r name value || [ -n "$name" ]; do
    case $name in '' | *[!A-Za-z0-9_]*) continue ;; esac
    [ -n "${!name-}" ] || export "$name=$value"
  done <.env
fi
export PORT=${PORT:-8080}

if port_in_use "$PORT"; then
  fail "port $PORT is in use by another program (or by Rowcast itself, already running)." \
    "Stop it, or choose another port: PORT=$((PORT + 1)) ./start.sh"
fi
if [ $reset = yes ]; then reset_data "${ROWCAST_DATA_DIR:-.rowcast}" $yes; fi

need_rust
need gcc have cc
# Without root the server fetches PostgreSQL's programs itself, into its data folder.
if [ -z "${DATABASE_URL-}" ] && may_install; then need postgresql have_postgres; fi
install_missing

say 'Building the server (minutes the first time, seconds after)'
cargo build --release --package server --bin rowcast
say 'Building the web viewer'
client-egui/build-web.sh
export ROWCAST_WEB_DIR=${ROWCAST_WEB_DIR:-${CARGO_TARGET_DIR:-target}/web-dist}
say "Starting; Ctrl-C stops it"
exec "${CARGO_TARGET_DIR:-target}/release/rowcast" ${options[@]+"${options[@]}"}
