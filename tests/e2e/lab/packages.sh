#!/usr/bin/env bash
# packages.sh FOLDER PACKAGE...: Debian packages that a test reads but nobody should have installed, each unpacked into
# FOLDER/PACKAGE. ./dev deps calls it. A second run does nothing; two at once wait for each other.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
# shellcheck source=deploy/dev/10-deps.sh
. "$(dirname "$0")/../../../deploy/dev/10-deps.sh"
exec 9>"$folder/lock"
flock 9
missing=()
for package in "$@"; do [ -f "$folder/$package/unpacked" ] || missing+=("$package"); done
[ ${#missing[@]} -gt 0 ] || exit 0
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
chmod 777 "$w" # apt fetches as its own user
cd "$w"
echo "packages: fetching ${missing[*]}" >&2
apt-get -qq download "${missing[@]}" || {
  deps_refresh || exit 1
  apt-get -qq download "${missing[@]}"
}
for package in "${missing[@]}"; do
  rm -rf "${folder:?}/$package"
  dpkg-deb -x "$package"_*.deb "$folder/$package"
  dpkg-deb -f "$package"_*.deb Version >"$folder/$package/unpacked"
  rm "$package"_*.deb
done
