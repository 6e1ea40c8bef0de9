#!/usr/bin/env bash
# Sees to a RabbitMQ server program on this machine, for the tests of callbacks by AMQP. Starts none: tests run a node of
# their own (test/support/cawins/private-rabbitmq.ts), and the system service of the Debian package is kept from starting.
set -euo pipefail
# shellcheck source=scripts/debian-package.sh
source "$(dirname "$0")/debian-package.sh"

readonly PACKAGE=rabbitmq-server
readonly PROGRAM=/usr/lib/rabbitmq/bin/rabbitmq-server

give_up() {
  say "no RabbitMQ found: install one with \"sudo apt-get install $PACKAGE\" (for tests only)." >&2
  exit 1
}

if [[ -x $PROGRAM ]]; then exit 0; fi
command -v apt-get >/dev/null || give_up
root=$(root_prefix) || give_up
install_server "$PACKAGE" "$root" rabbitmq-server.service epmd.socket
[[ -x $PROGRAM ]] || give_up
