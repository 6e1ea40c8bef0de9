#!/usr/bin/env bash
# Fails when generated/ is not what the proto files give: something changed, missing or left over.
set -euo pipefail

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

node_modules/.bin/buf generate -o "$fresh"
node_modules/.bin/buf build -o "$fresh/generated/descriptor.binpb" --as-file-descriptor-set
if ! diff -rq "$fresh/generated" generated; then
  echo 'generated/ differs from what proto/ gives: run "make generate" and commit the result.' >&2
  exit 1
fi
