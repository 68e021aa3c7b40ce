#!/usr/bin/env bash
# trees.sh FOLDER: the install trees the tests share: `tree` and `tree2`, its point release. Made again only when what
# makes them has changed. Two runs at once wait for each other.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
exec 9>"$1/lock"
flock 9
makers=$(cat "$here/make-tree.sh" "$here"/tree/* | sha256sum)
[ "$(cat "$1/made-by" 2>/dev/null)" != "$makers" ] || exit 0
rm -f "$1/made-by"
"$here/make-tree.sh" --cache "$1" "$1/tree"
"$here/make-tree.sh" --cache "$1" --version 2 "$1/tree2"
echo "$makers" >"$1/made-by"
