# shellcheck shell=bash
# What start.sh, test.sh and dev.sh share: saying things, and finding or installing what they need.

say() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Whether packages may be installed without asking: root on Debian or a system built on it.
may_install() { [ "$(id -u)" -eq 0 ] && have apt-get; }

# PostgreSQL's own programs are not on PATH on Debian.
have_postgres() {
  local candidate
  have initdb && have postgres && return 0
  for candidate in /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb \
    /usr/local/opt/postgresql*/bin/initdb /usr/pgsql-*/bin/initdb; do
    [ -x "$candidate" ] && return 0
  done
  return 1
}

have_library() { (ldconfig -p 2>/dev/null || /sbin/ldconfig -p) | grep "$1" >/dev/null; }

# Installs Debian packages without letting them start anything: no cluster, no service. The two
# files that see to it are ours only while this runs.
install_packages() {
  say "Installing $*"
  local cluster=/etc/postgresql-common/createcluster.d/zz-rowcast.conf
  local policy=/usr/sbin/policy-rc.d own_policy=no status=0 log
  log=$(mktemp)
  mkdir -p "${cluster%/*}"
  echo 'create_main_cluster = false' >"$cluster"
  if [ ! -e "$policy" ]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  {
    apt-get -qq -o DPkg::Lock::Timeout=300 update &&
      DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confold install -y --no-install-recommends "$@"
  } </dev/null >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then tail -n 30 "$log" >&2; fi
  rm -f "$cluster" "$log"
  if [ "$own_policy" = yes ]; then rm -f "$policy"; fi
  # A service that was just installed would start with the next boot.
  case " $* " in
    *' redis-server '*) systemctl disable --quiet redis-server 2>/dev/null || true ;;
  esac
  return "$status"
}

# need PACKAGE CHECK...: notes PACKAGE as missing unless CHECK succeeds.
missing=()
need() {
  local package=$1
  shift
  "$@" || missing+=("$package")
}

# Installs what `need` found missing, or says what to install and stops.
install_missing() {
  [ ${#missing[@]} -eq 0 ] && return 0
  if may_install; then
    install_packages "${missing[@]}" || fail "apt-get could not install: ${missing[*]}" \
      'Its messages are above. Install them by hand and run this again.'
  else
    fail "these are missing (Debian's names): ${missing[*]}" \
      "On Debian and Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]}" \
      'Elsewhere: install the packages that hold the same programs, then run this again.'
  fi
  missing=()
}

# Rust, the toolchain that rust-toolchain.toml names, and its WebAssembly target.
need_rust() {
  if ! have cargo && [ -f "$HOME/.cargo/env" ]; then
    # shellcheck disable=SC1091
    . "$HOME/.cargo/env"
  fi
  have cargo || fail 'Rust is not installed.' \
    "Install it: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y" \
    'Then open a new shell and run this again.'
  if have rustup; then
    rustc --version >/dev/null 2>&1 || rustup toolchain install ||
      fail 'rustup could not install the toolchain that rust-toolchain.toml names.'
    rustup target list --installed | grep -x wasm32-unknown-unknown >/dev/null ||
      rustup target add wasm32-unknown-unknown ||
      fail 'rustup could not add the target wasm32-unknown-unknown.'
  elif ! [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    fail 'This Rust has no target wasm32-unknown-unknown, which the web viewer needs.' \
      'Install Rust with rustup (https://rustup.rs), or the package that holds the target.'
  fi
}

# Whether something listens on a port of this machine.
port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
