#!/usr/bin/env bash
# Sees to a MariaDB server program on this machine, for the embedded database and for tests. Starts none: the server that
# the Debian package would run as a system service is kept from starting, as nothing here uses it.
set -euo pipefail
# shellcheck source=scripts/debian-package.sh
source "$(dirname "$0")/debian-package.sh"

readonly PACKAGE=mariadb-server

has_server() {
  local directory
  for directory in ${PATH//:/ } /usr/sbin /usr/libexec /usr/local/sbin; do
    [[ -x $directory/mariadbd || -x $directory/mysqld ]] && return 0
  done
  return 1
}

give_up() {
  say "no MariaDB server found: install one with \"sudo apt-get install $PACKAGE\", or set MADELEINE_DATABASE_URL (to run, not to test)." >&2
  exit 1
}

if has_server; then exit 0; fi
command -v apt-get >/dev/null || give_up
root=$(root_prefix) || give_up
install_server "$PACKAGE" "$root" mariadb.service
has_server || give_up
