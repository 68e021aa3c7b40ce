#!/usr/bin/env bash
# ipxe_build_test.sh: deploy/ipxe/build with a tree whose Makefile notes what it was asked for, as iPXE itself is not ours.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
fail() {
  echo "ipxe_build_test: $*" >&2
  exit 1
}
build() { "$top/deploy/ipxe/build" "$@"; }
# same WHAT FILE: the file has the lines of stdin
same() { diff "$2" - || fail "$1"; }

src=$w/ipxe/src
mkdir -p "$src/net/udp" "$src/bin"
# Each target is a file that says what it was made with, and whether the tree was that of the plain ROM.
cat >"$src/Makefile" <<'M'
all: ;
.DEFAULT:
	@mkdir -p $(dir $@)
	@echo "$@ CROSS=$(CROSS) NO_WERROR=$(NO_WERROR)" >>asked
	@{ echo "$@"; cat config/local/general.h net/udp/dhcp.c $(EMBED) 2>/dev/null || true; } >$@
M
cat >"$src/net/udp/dhcp.c" <<'C'
	DHCP_USER_CLASS_ID, DHCP_STRING ( 'i', 'P', 'X', 'E' ),
	dhcp_features_len = table_num_entries ( DHCP_FEATURES );
	if ( ( rc = dhcppkt_store ( dhcppkt, DHCP_EB_BUS_ID, &dhcp_desc,
				    sizeof ( dhcp_desc ) ) ) != 0 ) {
C
echo stale >"$src/bin/undionly.kpxe"
mkdir "$w/cross"
printf '#!/bin/sh\n' >"$w/cross/aarch64-linux-gnu-gcc"
chmod +x "$w/cross/aarch64-linux-gnu-gcc"
export PATH=$w/cross:$PATH

build --source "$w/ipxe" --out "$w/out" --keep "$w/work" --server 192.0.2.7:8080 >/dev/null
(cd "$w/out" && find . -type f | sort) >"$w/found"
same "what lies in the result" "$w/found" <<'L'
./bin-arm64-efi/ipxe.efi
./bin-arm64-efi/snponly.efi
./bin-x86_64-efi/ipxe.efi
./bin-x86_64-efi/snponly.efi
./bin/ipxe.pxe
./bin/undionly.kpxe
L
sort "$w/work/tree/src/asked" >"$w/asked"
cross=aarch64-linux-gnu-
[ "$(uname -m)" != aarch64 ] || cross=
same "what was asked of make" "$w/asked" <<M
bin-arm64-efi/ipxe.efi CROSS=$cross NO_WERROR=1
bin-arm64-efi/snponly.efi CROSS=$cross NO_WERROR=1
bin-x86_64-efi/ipxe.efi CROSS= NO_WERROR=1
bin-x86_64-efi/snponly.efi CROSS= NO_WERROR=1
bin/ipxe.pxe CROSS= NO_WERROR=1
bin/undionly.kpxe CROSS= NO_WERROR=1
M
for file in bin/undionly.kpxe bin-x86_64-efi/snponly.efi bin-arm64-efi/snponly.efi; do
  grep -qx 'set server 192.0.2.7:8080' "$w/out/$file" || fail "$file: the embedded script does not name the server"
  # shellcheck disable=SC2016
  grep -q 'http://${server}/boot.ipxe' "$w/out/$file" || fail "$file: the embedded script does not chain ours"
done
grep -q "'i', 'P', 'X', 'E'" "$w/out/bin/undionly.kpxe" || fail "only the plain ROM hides that it is iPXE"
[ "$(cat "$src/bin/undionly.kpxe")" = stale ] || fail "the source tree was written to"
[ "$(head -c 6 "$w/work/embed.ipxe")" = '#!ipxe' ] || fail "the embedded script is none"

build --source "$src" --out "$w/rom" --only rom >/dev/null # src itself will do
rom=$w/rom/rom/plain.rom
[ -f "$rom" ] || fail "no ROM"
grep -q '#undef DOWNLOAD_PROTO_HTTP' "$rom" || fail "the ROM has HTTP"
! grep -q "'i', 'P', 'X', 'E'" "$rom" || fail "the ROM says by option 77 that it is iPXE"
grep -q 'dhcp_features_len = 0;' "$rom" || fail "the ROM says by option 175 that it is iPXE"
! grep -q 'farboot\|boot.ipxe' "$rom" || fail "the ROM has the script"

# refused WORDS ARGUMENT...: ends with one line that has the words
refused() {
  local words=$1
  shift
  if build "$@" >"$w/said" 2>&1; then fail "$* was accepted"; fi
  if [ "$(wc -l <"$w/said")" != 1 ] || ! grep -q -- "$words" "$w/said"; then
    cat "$w/said" >&2
    fail "$*: want one line with '$words'"
  fi
}
refused 'no src/Makefile' --source "$w/out" --out "$w/x"
refused 'no such folder' --source "$w/nothing" --out "$w/x"
refused "want bios, x64" --source "$w/ipxe" --out "$w/x" --only arm
refused "want an address" --source "$w/ipxe" --out "$w/x" --server 'a/b;c'
refused 'wants a value' --out
refused 'not an empty folder' --source "$w/ipxe" --out "$w/ipxe"
[ -f "$w/ipxe/src/Makefile" ] || fail "a folder that was there is gone"
sed -i 's/DHCP_USER_CLASS_ID, //' "$src/net/udp/dhcp.c"
refused 'not as this script knows it' --source "$w/ipxe" --out "$w/x" --only rom
# A mirror without the source: a folder of this machine that is none.
refused 'or get it elsewhere and give --source' --mirror "file:$w/none" --suite trixie --out "$w/x"
