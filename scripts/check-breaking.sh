#!/usr/bin/env bash
# Compares the contract with the last one that landed, so that no change breaks clients unnoticed. BASE=<commit> compares
# with that commit instead.
set -euo pipefail

skip() {
  echo "breaking: skipped, $1"
  exit 0
}

commit() { git rev-parse --verify --quiet "$1^{commit}"; }

# The last commit of main that HEAD has and that is not HEAD; HEAD itself while the contract has uncommitted changes.
last_landed() {
  local head main base
  head=$(commit HEAD)
  if [[ -n $(git status --porcelain -- proto) ]]; then
    echo "$head"
    return
  fi
  for main in main origin/main; do
    base=$(git merge-base "$main" HEAD 2>/dev/null) || continue
    if [[ $base != "$head" ]]; then
      echo "$base"
      return
    fi
  done
  commit HEAD~1
}

git rev-parse --git-dir >/dev/null 2>&1 || skip 'this is not a git checkout'
commit HEAD >/dev/null || skip 'nothing was committed yet'
if [[ -n ${BASE:-} ]]; then
  base=$(commit "$BASE") || { echo "breaking: BASE=$BASE is no commit" >&2; exit 1; }
else
  base=$(last_landed) || skip 'there is no earlier commit here'
fi
git cat-file -e "$base:proto" 2>/dev/null || skip "commit ${base:0:10} has no proto/"

echo "breaking: comparing proto/ with commit ${base:0:10}"
node_modules/.bin/buf breaking proto --against "$(git rev-parse --git-common-dir)#ref=$base,subdir=proto"
