# root.sh: what nspawn_test.sh and machine_test.sh boot: a Debian 12 with the packages beside it and walk.sh as its only
# job. Sourced.
# shellcheck shell=bash

child='' # what runs in the background, if anything does
end_child() {
  [ -z "$child" ] || { kill "$child" 2>/dev/null && wait "$child"; } || true
}

# make_root FOLDER DEBS TREE OUTPUT: OUTPUT is where in the new root walk.sh writes. The empty Debian, with the libraries
# the packages depend on, is kept in the user's cache.
make_root() {
  local root=$1 debs=$2 tree=$3 output=$4 here top cache packages base
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  top=$(cd "$here/../.." && pwd)
  cache=${FARBOOT_SYSROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/farboot-sysroots}
  packages=systemd-sysv,dbus,iproute2,kmod,procps,curl,ca-certificates,ipxe,python3,dnsmasq-base
  packages+=,$(cat "$top"/deploy/packaging/*/depends | grep -v '^#' | sed 's/[ (].*//' | sort -u | paste -sd,)
  base=$cache/debian12-root-$(printf %s "$packages" | md5sum | cut -c1-8).tar
  if [ ! -f "$base" ]; then
    echo "package test: making a Debian 12 to install into"
    mkdir -p "$cache"
    mmdebstrap --quiet --format=tar --variant=minbase --mode=root --include="$packages" bookworm "$base.new"
    mv "$base.new" "$base"
  fi
  mkdir "$root"
  tar -C "$root" -xf "$base"
  mkdir "$root/debs" "$root/walk"
  cp "$debs"/farboot-*_amd64.deb "$root/debs/"
  cp -r "$here/walk.sh" "$here/machines.py" "$top/tests/e2e/farboot_lab" "$root/walk/"
  cp -r "$tree" "$root/tree"
  cat >"$root/etc/systemd/system/walk.service" <<U
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/walk/walk.sh
StandardOutput=file:$output
StandardError=file:$output
TimeoutStartSec=infinity
ExecStopPost=/usr/bin/systemctl --no-block poweroff
U
  mkdir -p "$root/etc/systemd/system/default.target.wants"
  ln -s /etc/systemd/system/walk.service "$root/etc/systemd/system/default.target.wants/walk.service"
}

# judge LOG CONSOLE: prints what walk.sh said; fails unless it came to its end.
judge() {
  cat "$1" 2>/dev/null || true
  grep -q '^walk: all good' "$1" 2>/dev/null && return 0
  echo "package test: FAILED; the end of the console:" >&2
  tail -n 30 "$2" >&2
  return 1
}
