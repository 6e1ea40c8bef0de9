# Functions for scripts that install a Debian package with a server program, and keep its system service from starting: nothing here
# uses that. To be sourced.

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

# install_server PACKAGE ROOT_PREFIX SERVICE...: the services are not started, now or at the next boot.
install_server() {
  local package=$1 root=$2 log
  shift 2
  log=$(mktemp)
  say "installing $package (Debian package)"
  # Debian asks this program whether a service may start; one that is there already is the machine's own affair.
  if [[ ! -e $POLICY ]]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee "$POLICY" >/dev/null
    $root chmod +x "$POLICY"
    # shellcheck disable=SC2064 # expanded now, as $root is local
    trap "$root rm -f $POLICY" EXIT
  fi
  if ! { apt_get "$root" update && apt_get "$root" install --no-install-recommends "$package"; } >"$log" 2>&1; then
    tail -20 "$log" >&2
    say "$package could not be installed; the whole output is in $log." >&2
    exit 1
  fi
  rm -f "$log"
  if command -v systemctl >/dev/null; then $root systemctl disable --quiet "$@" 2>/dev/null || true; fi
}

apt_get() {
  local root=$1
  shift
  $root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq "$@"
}
