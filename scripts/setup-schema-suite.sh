#!/usr/bin/env bash
# Gets the JSON-Schema-Test-Suite, for `make test-schema-suite`, into .schema-suite/: the source package of Python's jsonschema on PyPI
# ships it. Nothing of Python is run.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly NAME=jsonschema-4.23.0
readonly SHA256=d71497fef26351a33265337fa77ffeb82423f3ea21283cd9467bb03999266bc4
readonly URL=https://files.pythonhosted.org/packages/38/2e/03362ee4034a4c917f697890ccd4aec0800ccf9ded7f511971c75451deec/$NAME.tar.gz
readonly FOLDER=.schema-suite/$NAME

[[ -d $FOLDER/json/tests ]] && exit 0
mkdir -p .schema-suite
archive=.schema-suite/$NAME.tar.gz
echo "getting the JSON-Schema-Test-Suite ($URL)"
node --input-type=module -e '
  import { writeFile } from "node:fs/promises";
  const answer = await fetch(process.argv[1]);
  if (!answer.ok) throw new Error(`${process.argv[1]} answers ${answer.status}`);
  await writeFile(process.argv[2], Buffer.from(await answer.arrayBuffer()));
' "$URL" "$archive" || {
  echo "the suite could not be fetched: put $NAME.tar.gz (from PyPI) into .schema-suite/" >&2
  [[ -f $archive ]] || exit 1
}
echo "$SHA256  $archive" | sha256sum --check --quiet
tar -xzf "$archive" -C .schema-suite "$NAME/json"
