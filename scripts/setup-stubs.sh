#!/usr/bin/env bash
# Gets what makes code from proto/ for other languages, and what compiles it where the language itself is found, for `make test-stubs`:
# Debian packages, and Go programs in .stubs/. Languages are not installed. What cannot be had is named and left out; the tests
# that need it are then skipped, each with its reason.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/debian-package.sh
source scripts/debian-package.sh

readonly BIN=$PWD/.stubs/bin
readonly GO_PROGRAMS=(
  google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
  google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
  github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
)

has() { command -v "$1" >/dev/null; }
is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

packages=(protobuf-compiler protobuf-compiler-grpc)
if [[ -x /usr/bin/python3 ]]; then packages+=(python3-grpcio python3-protobuf); fi
if has g++; then packages+=(libgrpc++-dev libprotobuf-dev); fi
if has javac; then packages+=(protobuf-compiler-grpc-java-plugin libgrpc-java libgoogle-gson-java libnetty-java libperfmark-java libprotobuf-java); fi

if has dpkg-query; then
  missing=()
  for package in "${packages[@]}"; do is_installed "$package" || missing+=("$package"); done
  if ((${#missing[@]})); then
    log=$(mktemp)
    say "installing ${missing[*]} (Debian packages)"
    if ! root=$(root_prefix); then
      say "this needs root: sudo apt-get install ${missing[*]}" >&2
    elif ! { apt_get "$root" update && apt_get "$root" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
      tail -5 "$log" >&2
      say "not all could be installed; the whole output is in $log" >&2
    fi
  fi
fi

if has go; then
  for program in "${GO_PROGRAMS[@]}"; do
    name=$(basename "${program%@*}")
    [[ -x $BIN/$name ]] && continue
    say "building $name (Go module)"
    GOBIN=$BIN GOFLAGS=-mod=mod go install "$program" >/dev/null 2>&1 || say "$program could not be built" >&2
  done
fi
