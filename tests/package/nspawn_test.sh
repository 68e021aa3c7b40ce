#!/usr/bin/env bash
# nspawn_test.sh DEBS TREE: installs the packages in a Debian 12 of its own, with systemd as process 1, and walks: services
# start, an image is imported, the example fleet applied, the agent enrolled, /v1/health answers; upgrade and removal too.
# Needs root. The empty Debian is kept in the user's cache.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
debs=$(cd "$1" && pwd)
tree=$(cd "$2" && pwd)
top=$(cd "$here/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "nspawn_test: needs root" >&2; exit 77; }
cache=${FARBOOT_SYSROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/farboot-sysroots}
libraries=$(cat "$top"/deploy/packaging/*/depends | grep -v '^#' | sed 's/[ (].*//' | sort -u | tr '\n' ',')
packages=systemd-sysv,dbus,iproute2,curl,ca-certificates,ipxe,init-system-helpers,${libraries%,}
base=$cache/debian12-root-$(printf %s "$packages" | md5sum | cut -c1-8).tar
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
if [ ! -f "$base" ]; then
  echo "nspawn_test: making a Debian 12 to install into"
  mkdir -p "$cache"
  mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" bookworm "$base.new"
  mv "$base.new" "$base"
fi
root=$w/root
mkdir "$root"
tar -C "$root" -xf "$base"
mkdir -p "$root/debs" "$root/tree"
cp "$debs"/farboot-*_amd64.deb "$root/debs/"
install -m 755 "$here/walk.sh" "$root/walk.sh"
cat >"$root/etc/systemd/system/walk.service" <<'E'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/walk.sh
StandardOutput=file:/walk.log
StandardError=file:/walk.log
TimeoutStartSec=300
ExecStopPost=/usr/bin/systemctl --no-block poweroff
E
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -s /etc/systemd/system/walk.service "$root/etc/systemd/system/default.target.wants/walk.service"
timeout --kill-after=10 420 systemd-nspawn --quiet --directory="$root" --boot --private-network --register=no \
  --keep-unit --bind-ro="$tree:/tree" --console=pipe --resolv-conf=off </dev/null >"$w/console.log" 2>&1 || true
cat "$root/walk.log" 2>/dev/null || true
if ! grep -q '^walk: all good$' "$root/walk.log" 2>/dev/null; then
  echo "nspawn_test: FAILED; the end of the console:" >&2
  tail -n 30 "$w/console.log" >&2
  exit 1
fi
