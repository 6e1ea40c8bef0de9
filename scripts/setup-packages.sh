#!/usr/bin/env bash
# Installs the npm packages that package-lock.json names. Called by make when the lock file is newer than the packages.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  say 'Node is missing: install Node 20.19 or later with npm (https://nodejs.org).' >&2
  exit 1
fi
node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) process.exit(0);
  console.error(`setup: Node ${process.versions.node} is too old: 20.19 or later is needed.`);
  process.exit(1);
'
say 'installing npm packages'
# Not `npm ci`: it refuses a lock file without the packages of other platforms, and not every mirror has those. This
# installs the locked versions too, and leaves the lock file alone.
npm install --no-save --include=dev --no-audit --no-fund --loglevel=error >/dev/null
touch node_modules/.installed
