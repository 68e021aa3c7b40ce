#!/usr/bin/env bash
# tftp_bench.sh BIN [-l "RTT_MS:LOSS ..."] [-b "BLKSIZES"] [-w "WINDOWSIZES"] [-c "CLIENTS"] [-r ROUNDS] [-d SECONDS] [-o FILE]
#
# Our TFTP server beside tftpd-hpa, atftpd and dnsmasq (those that are installed), in two network namespaces joined by
# tun_netem, made and removed here (root). Rounds interleave the servers; printed are medians and the ratio to the best
# peer at any window in the same line and load, as design.md "Numbers to reach" asks. BIN holds tftp_load, tftp_serve
# and tun_netem.
set -euo pipefail
bin=$(readlink -f "${1:?BIN}")
atftpd=$(command -v atftpd || readlink -m "$(dirname "$0")/../../build/peers/usr/sbin/atftpd") # ./dev bench tftp
shift
lines="0:0 1:0 5:0 1:0.01" blocks="1428" windows="1 16 64" clients="1 50" rounds=2 seconds=3 out=
while [ $# -gt 0 ]; do
  case $1 in
    -l) lines=$2 ;; -b) blocks=$2 ;; -w) windows=$2 ;; -c) clients=$2 ;;
    -r) rounds=$2 ;; -d) seconds=$2 ;; -o) out=$2 ;;
    *) sed -n 2,7p "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ "$(id -u)" = 0 ] || { echo "tftp_bench: network namespaces need root" >&2; exit 1; }
work=$(mktemp -d)
out=${out:-$work/results.jsonl}
: >"$out"
a=fbt$$a b=fbt$$b
pids=()
cleanup() {
  [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "$a" 2>/dev/null || true
  ip netns del "$b" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/root"
head -c 60000000 /dev/urandom >"$work/root/big"
chmod -R a+rX "$work"

names=() ports=() owners=()
# start NAME PORT COMMAND...: in the server's namespace
start() {
  local name=$1 port=$2
  shift 2
  ip netns exec "$a" "$@" >"$work/$name.log" 2>&1 &
  pids+=($!)
  names+=("$name") ports+=("$port") owners+=($!)
}
servers() {
  names=() ports=() owners=()
  start ours 6901 "$bin/tftp_serve" 6901 "$work/root"
  if command -v in.tftpd >/dev/null; then
    start hpa 6902 in.tftpd -L -a 10.9.0.1:6902 -u root -s "$work/root"
  fi
  if command -v "$atftpd" >/dev/null; then
    start atftpd 6903 "$atftpd" --daemon --no-fork --port 6903 --user root --group root --maxthread 200 "$work/root"
  fi
  if command -v dnsmasq >/dev/null; then
    start dnsmasq 69 dnsmasq -k -p0 --enable-tftp --tftp-root="$work/root" -i nem0 --bind-interfaces -u root --pid-file= \
      --log-facility="$work/dnsmasq.log"
  fi
  for _ in $(seq 100); do  # until each answers, at most 10 s
    local left=0 i
    for i in "${!names[@]}"; do
      ip netns exec "$b" "$bin/tftp_load" -a "10.9.0.1:${ports[$i]}" -f missing --retry 200 2>/dev/null |
        grep -q '"err":"timeout"' && left=1
    done
    [ $left = 1 ] || return 0
  done
  echo "tftp_bench: a server does not answer" >&2
}

for line in $lines; do
  ip netns add "$a"
  ip netns add "$b"
  pids=()
  "$bin/tun_netem" "$a" 10.9.0.1/24 "$b" 10.9.0.2/24 --rtt "${line%:*}" --loss "${line#*:}" >"$work/netem.log" &
  pids+=($!)
  until grep -q ready "$work/netem.log"; do kill -0 "${pids[0]}"; done
  servers
  for round in $(seq "$rounds"); do
    for c in $clients; do for block in $blocks; do for window in $windows; do for i in "${!names[@]}"; do
      result=$(ip netns exec "$b" "$bin/tftp_load" -a "10.9.0.1:${ports[$i]}" -f big -c "$c" -d "$seconds" -b "$block" \
        -w "$window" --pids "${owners[$i]}" || true)
      echo "{\"line\":\"$line\",\"server\":\"${names[$i]}\",\"round\":$round,${result#\{}" >>"$out"
    done; done; done; done
  done
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "$a"
  ip netns del "$b"
  pids=()
done

python3 - "$out" <<'PY'
import json, statistics, sys
from collections import defaultdict
cells = defaultdict(list)
for text in open(sys.argv[1]):
    row = json.loads(text)
    cells[row["line"], row["clients"], row["blksize"], row["windowsize"], row["server"]].append(row)
median = lambda rows, key: statistics.median(r[key] for r in rows)
best = defaultdict(float)
for (line, clients, block, window, server), rows in cells.items():
    if server != "ours":
        best[line, clients, block] = max(best[line, clients, block], median(rows, "MBps"))
        if rows[0]["got_windowsize"] <= 1 or window == 1:
            best[line, clients, block, 1] = max(best[line, clients, block, 1], median(rows, "MBps"))
print("rtt:loss   cli   blk  win server      MB/s  x best w1  x best any  %bound  p99ms  retries  errs cpu s/GB")
for (line, clients, block, window, server), rows in sorted(cells.items()):
    rate = median(rows, "MBps")
    rtt = float(line.split(":")[0]) / 1e3
    bound = clients * window * block / rtt / 1e6 if rtt else 0
    share = f"{100 * rate / bound:6.1f}" if bound else "     -"
    ratio = lambda key: f"{rate / best[key]:9.2f}" if best.get(key) else "        -"
    print(f"{line:9} {clients:4} {block:5} {window:4} {server:8} {rate:8.2f} {ratio((line, clients, block, 1))} "
          f" {ratio((line, clients, block))}  {share} {median(rows, 'p99ms'):7.0f} {median(rows, 'retries'):7.0f} "
          f"{sum(r['errs'] for r in rows):5} {median(rows, 'srv_cpu_s_per_GB'):7.2f}")
PY
