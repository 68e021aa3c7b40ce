#!/usr/bin/env bash
# nspawn_test.sh DEBS TREE: installs the packages in a Debian 12 of its own, booted by systemd in a container, and does what
# an operator and a machine do with them (walk.sh). Needs root. The kernel is this machine's; machine_test.sh has its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/package/root.sh
. "$here/root.sh"
[ "$(id -u)" = 0 ] || { echo "nspawn_test: needs root" >&2; exit 77; }
w=$(mktemp -d)
trap 'end_child; rm -rf "$w"' EXIT
trap 'exit 130' INT TERM HUP
make_root "$w/root" "$1" "$2" /walk.log
timeout --foreground --kill-after=10 1800 systemd-nspawn --quiet --directory="$w/root" --boot --private-network --register=no \
  --keep-unit --console=pipe --resolv-conf=off </dev/null >"$w/console.log" 2>&1 &
child=$!
wait $child || true
child=
judge "$w/root/walk.log" "$w/console.log"
