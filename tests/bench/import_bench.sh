#!/usr/bin/env bash
# import_bench.sh BIN [ISO]: import of an ISO into a pack store beside sha256sum of the same file, interleaved.
# Then `farboot image import` of it, for the memory of farboot-controller itself. Status 1: below 60 % (median of the rounds; the command itself) or above 300 MB.
# ROUNDS: how many (3). Without ISO one of MB megabytes (default 4295, which is 4 GiB) is made: a third squashfs, the rest packages. FOLDER: where (default /var/tmp).
set -euo pipefail
bin=$(cd "$1" && pwd)
iso=${2:-}
mb=${MB:-4295}
work=$(mktemp -d -p "${FOLDER:-/var/tmp}" farboot-import-XXXXXX)
controller=
trap '[ -z "$controller" ] || { kill "$controller"; wait "$controller"; } 2>/dev/null; rm -rf "$work"' EXIT

noise() { openssl enc -aes-128-ctr -K "$(printf %s "$1" | md5sum | cut -c1-32)" -iv 0 </dev/zero 2>/dev/null | head -c "$2" || true; }

make_iso() {
  local tree=$work/tree i=0 left
  mkdir -p "$tree/images/pxeboot" "$tree/LiveOS" "$tree/Packages"
  noise kernel 6000000 >"$tree/images/pxeboot/vmlinuz"
  noise initrd 50000000 >"$tree/images/pxeboot/initrd.img"
  { printf hsqs; noise stage2 $((mb * 350000)); } >"$tree/LiveOS/squashfs.img"
  {
    printf '[general]\nfamily = Bench\nversion = 1\narch = x86_64\n[stage2]\nmainimage = LiveOS/squashfs.img\n'
    printf '[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n[checksums]\n'
    (cd "$tree" && sha256sum images/pxeboot/* LiveOS/*) | sed -E 's/^(\S+) +(.*)/\2 = sha256:\1/'
  } >"$tree/.treeinfo"
  left=$((mb * 650000 - 56000000))
  while [ $left -gt 0 ]; do # packages as in a distribution: most small, a few of tens of megabytes
    i=$((i + 1))
    local size=$((20000 + (i * 7919 % 97) * (i * 104729 % 89) * 600))
    [ $((i % 50)) != 0 ] || size=$((size * 8))
    noise "$i" $size >"$tree/Packages/package-$i.rpm"
    left=$((left - size))
  done
  xorriso -as mkisofs -quiet -R -J -iso-level 3 -o "$work/bench.iso" "$tree" 2>/dev/null
  rm -rf "$tree"
  iso=$work/bench.iso
}
[ -n "$iso" ] || make_iso

seconds() { local TIMEFORMAT=%R; { time "$@" >/dev/null; } 2>&1 | tail -n1; }

# What the host took from this machine, in hundredths of a second: a round with much of it says little.
stolen_now() { awk '/^cpu / { print $9 }' /proc/stat; }
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'; }

size=$(stat -c %s "$iso")
sha256=$(sha256sum "$iso" | cut -d' ' -f1) # warms the page cache too
shares=() hashes=()
for ((round = 1; round <= ${ROUNDS:-3}; round++)); do
  mkdir "$work/store$round"
  stolen=$(stolen_now)
  before=$(seconds sha256sum "$iso")
  imported=$("$bin/bench_import" "$iso" "$work/store$round" 2>/dev/null)
  after=$(seconds sha256sum "$iso")
  echo "round $round: sha256sum $before s before and $after s after, of $size bytes;" \
    "$((($(stolen_now) - stolen) / 100)) CPU-seconds taken by the host; import:"
  echo "$imported"
  hashes+=("$(awk "BEGIN { print ($before + $after) / 2 }")")
  shares+=("$(awk -v hashed="${hashes[-1]}" '/^first/ { for (i = 1; i < NF; i++) if ($i == "in") print hashed / $(i + 1) }' <<<"$imported")")
  rm -rf "$work/store$round"
done
mkdir "$work/store4"
echo "with --sha256:"
"$bin/bench_import" "$iso" "$work/store4" "$sha256" 2>/dev/null
rm -rf "$work/store4"

mkdir "$work/state"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'state_dir = "%s"\nlisten = "127.0.0.1:%s"\nnames = ["127.0.0.1"]\n' "$work/state" "$port" >"$work/controller.toml"
"$bin/farboot-controller" --config "$work/controller.toml" 2>"$work/controller.log" &
controller=$!
until "$bin/farboot" --context "$work/state/operator" status >/dev/null 2>&1; do
  kill -0 "$controller" || { cat "$work/controller.log" >&2; exit 1; }
  read -rt 0.2 <> <(:) || true
done
imported=$(seconds "$bin/farboot" --context "$work/state/operator" image import "$iso" --name bench --tag 1)
peak=$(awk '/^VmHWM/ { printf "%d", $2 / 1024 }' "/proc/$controller/status")
echo "farboot image import: $imported s; farboot-controller's peak RSS $peak MB"
missed=0
judge() { # WHAT SHARE
  awk -v what="$1" -v share="$2" 'BEGIN { printf "%s: %.0f %% of the rate of sha256sum\n", what, 100 * share; exit share < 0.6 }' ||
    { echo "missed: below 60 %" >&2; missed=1; }
}
judge "first import, median of the rounds" "$(printf '%s\n' "${shares[@]}" | median)"
judge "farboot image import" "$(awk "BEGIN { print $(printf '%s\n' "${hashes[@]}" | median) / $imported }")"
[ "$peak" -le 300 ] || { echo "missed: more than 300 MB" >&2; missed=1; }
exit $missed
