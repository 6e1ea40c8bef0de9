#!/usr/bin/env bash
# Sees to a RabbitMQ server program on this machine, for the tests of callbacks by AMQP. Starts none: tests run a node of
# their own (test/support/private-rabbitmq.ts), and the system service of the Debian package is kept from starting.
set -euo pipefail

readonly PACKAGE=rabbitmq-server
readonly PROGRAM=/usr/lib/rabbitmq/bin/rabbitmq-server
readonly POLICY=/usr/sbin/policy-rc.d

say() { printf 'setup: %s\n' "$*"; }

# Prints how to run a command as root, or fails where that needs a password.
root_prefix() {
  if [[ $(id -u) -eq 0 ]]; then
    printf ''
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    printf 'sudo -n'
  else
    return 1
  fi
}

give_up() {
  say "no RabbitMQ found: install one with \"sudo apt-get install $PACKAGE\" (for tests only)." >&2
  exit 1
}

install_server() {
  local root=$1 log
  log=$(mktemp)
  say "installing $PACKAGE (Debian package)"
  # Debian asks this program whether a service may start; one that is there already is the machine's own affair.
  if [[ ! -e $POLICY ]]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee "$POLICY" >/dev/null
    $root chmod +x "$POLICY"
    # shellcheck disable=SC2064 # expanded now, as $root is local
    trap "$root rm -f $POLICY" EXIT
  fi
  if ! { apt_get "$root" update && apt_get "$root" install --no-install-recommends "$PACKAGE"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    say "$PACKAGE could not be installed; the whole output is in $log." >&2
    exit 1
  fi
  rm -f "$log"
  # Nor at the next boot.
  if command -v systemctl >/dev/null; then
    $root systemctl disable --quiet rabbitmq-server.service epmd.socket 2>/dev/null || true
  fi
}

apt_get() {
  local root=$1
  shift
  $root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq "$@"
}

if [[ -x $PROGRAM ]]; then exit 0; fi
command -v apt-get >/dev/null || give_up
root=$(root_prefix) || give_up
install_server "$root"
[[ -x $PROGRAM ]] || give_up
