#!/usr/bin/env bash
# Gets a MySQL server for the tests (make test-engines) into .engines/mysql, beside the system: packages of Debian's unstable suite
# from the mirror that this machine uses anyway, unpacked, not installed, and started through their own loader, as they need a newer
# libc than a stable system has. `rm -rf .engines` removes it. Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGET=$PWD/.engines/mysql
readonly SUITE=sid
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly PACKAGES=(mysql-server-core mysql-client-core)
# What packages name and the server does without: what only their installation scripts or other programs need.
readonly UNUSED='^(perl.*|libperl.*|openssl-provider-legacy|libc-gconv-modules-extra)$'

say() { printf 'setup: %s\n' "$*"; }

give_up() {
  say "MySQL could not be fetched: $1." >&2
  say 'It comes from Debian'\''s unstable suite, so this needs x86-64 Debian, apt-get and its mirror; nothing was changed.' >&2
  say 'The other tests do not need it.' >&2
  exit 1
}

# Prints the version of the server in a root directory; fails where there is none that runs.
version_of() {
  local library=$1/usr/lib/x86_64-linux-gnu
  "$1/usr/lib64/ld-linux-x86-64.so.2" --library-path "$library" "$1/usr/sbin/mysqld" --no-defaults --version 2>/dev/null |
    sed -n 's/.*Ver \([0-9.]*\).*/\1/p' | grep .
}

if version_of "$TARGET" >/dev/null; then exit 0; fi

[[ $(uname -sm) == 'Linux x86_64' ]] || give_up "this is $(uname -sm)"
for tool in apt-get apt-cache dpkg-deb; do command -v "$tool" >/dev/null || give_up "there is no $tool"; done
[[ -r $KEYRING ]] || give_up "there is no $KEYRING to check its packages with"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 '/debian/$' || true)
[[ -n $mirror ]] || give_up 'the sources of apt name no mirror of Debian'

mkdir -p .engines
work=$(mktemp -d "$PWD/.engines/mysql.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$work/log
mkdir -p "$work"/{lists/partial,cache/archives/partial,packages,root}
printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$mirror" "$SUITE" >"$work/sources.list"

readonly APT=(
  -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
  -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache"
  -o APT::Sandbox::User=root -o APT::Architecture=amd64
)

# Prints the names of all packages that the wanted ones need.
needed() {
  apt-cache "${APT[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    "${PACKAGES[@]}" | grep -E '^[a-z0-9]' | grep -vE "$UNUSED" | sort -u
}

say 'fetching a MySQL server into .engines/mysql (about 60 MB, two minutes)'
apt-get "${APT[@]}" -qq update >"$log" 2>&1 || give_up "apt-get update says: $(tail -1 "$log")"
names=$(needed) || give_up "$SUITE has no ${PACKAGES[0]}"
# shellcheck disable=SC2086 # one word a package
(cd "$work/packages" && apt-get "${APT[@]}" -qq download $names) >"$log" 2>&1 || give_up "apt-get download says: $(tail -1 "$log")"
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/root"; done
version=$(version_of "$work/root") || give_up 'the server that was unpacked does not start'
rm -rf "$TARGET"
mv "$work/root" "$TARGET"
say "MySQL $version is in .engines/mysql"
