#!/usr/bin/env bash
# depends_test.sh BIN: deploy/packaging/*/depends must be what dpkg-shlibdeps finds for the amd64 programs (for arm64 it
# finds nothing, so the list is written by hand). UPDATE=1 writes it.
set -euo pipefail
bin=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$w/debian"
printf 'Source: farboot\n\nPackage: farboot\nArchitecture: any\n' >"$w/debian/control"
status=0

compare() { # part program...
  local part=$1 found
  shift
  found=$(cd "$w" && dpkg-shlibdeps -O "${@/#/$bin/}" 2>/dev/null | sed 's/^shlibs:Depends=//' | tr ',' '\n' | sed 's/^ *//' | sort)
  found=$(printf '%s\nsystemd\n' "$found")
  if [ -n "${UPDATE:-}" ]; then
    { echo "# one package a line; tests/package/depends_test.sh compares with dpkg-shlibdeps (UPDATE=1 writes this)"; echo "$found"; } \
      >"$top/deploy/packaging/$part/depends"
  elif ! diff <(grep -v '^#' "$top/deploy/packaging/$part/depends") <(echo "$found"); then
    echo "depends_test: deploy/packaging/$part/depends is not what the programs need" >&2
    status=1
  fi
}
compare agent farboot-agent
compare controller farboot-controller farboot
exit $status
