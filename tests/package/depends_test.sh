#!/usr/bin/env bash
# depends_test.sh BIN [ARCH]: deploy/packaging/*/depends must be what dpkg-shlibdeps finds for the amd64 programs; UPDATE=1
# writes it. For another architecture it finds nothing: there the libraries the programs name must be of those packages.
set -euo pipefail
bin=$(cd "$1" && pwd)
arch=${2:-amd64}
top=$(cd "$(dirname "$0")/../.." && pwd)
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$w/debian"
printf 'Source: farboot\n\nPackage: farboot\nArchitecture: any\n' >"$w/debian/control"
status=0

# needed PROGRAM...: the packages and their versions, as a control file has them, one a line.
needed() {
  (cd "$w" && dpkg-shlibdeps -O "${@/#/$bin/}" 2>/dev/null) | sed 's/^shlibs:Depends=//' | tr ',' '\n' | sed 's/^ *//' | sort
}

# named PROGRAM...: the packages that have, on this machine, the libraries the programs ask the loader for.
named() {
  local library
  readelf -d "${@/#/$bin/}" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^ld-linux' | sort -u | while read -r library; do
    dpkg-query -S "/usr/lib/$(gcc -print-multiarch)/$library" "/lib/$(gcc -print-multiarch)/$library" 2>/dev/null | cut -d: -f1 | head -n 1 || true
  done | sort -u
}

# listed LIST: the packages of a depends file without their versions; for a name that stands for a package, that package.
listed() {
  local name
  grep -v '^#' "$1" | sed 's/ .*//' | while read -r name; do
    if dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed; then
      echo "$name"
    else
      dpkg-query -W -f '${Package} ${Provides}\n' | grep -wF -- "$name" | cut -d' ' -f1 | head -n 1
    fi
  done | sort -u
}

compare() { # part program...
  local part=$1 list=$top/deploy/packaging/$1/depends found
  shift
  if [ "$arch" = amd64 ]; then found=$(needed "$@"); else found=$(named "$@"); fi
  found=$(printf '%s\nsystemd\n' "$found")
  if [ -n "${UPDATE:-}" ] && [ "$arch" = amd64 ]; then
    { echo "# one package a line; tests/package/depends_test.sh compares with dpkg-shlibdeps (UPDATE=1 writes this)"; echo "$found"; } >"$list"
  elif ! diff <(if [ "$arch" = amd64 ]; then grep -v '^#' "$list"; else listed "$list"; fi) <(echo "$found"); then
    echo "depends_test: deploy/packaging/$part/depends is not what the $arch programs need" >&2
    status=1
  fi
}
compare agent farboot-agent
compare controller farboot-controller farboot
exit $status
