#!/usr/bin/env bash
# tftp_bench.sh BIN [-l "RTT_MS:LOSS ..."] [-b "BLKSIZES"] [-w "WINDOWSIZES"] [-c "CLIENTS"] [-r ROUNDS] [-d SECONDS] [-o FILE]
#
# Our TFTP server, alone (ours) and in the real farboot-agent with its store (agent), beside tftpd-hpa, atftpd and
# dnsmasq (those that are installed), in two network namespaces joined by tun_netem, made and removed here (root).
# Rounds interleave the servers; printed are medians, their ratios to the best peer, and a verdict on each goal of
# design.md "Numbers to reach"; status 1 if one is missed. What was not measured is not judged. BIN holds tftp_load,
# tftp_serve, tun_netem; serve_tree and farboot-agent for the agent's rows.
set -euo pipefail
bin=$(readlink -f "${1:?BIN}")
atftpd=$(command -v atftpd || readlink -m "$(dirname "$0")/../../build/peers/usr/sbin/atftpd") # ./dev bench tftp
shift
lines="0:0 1:0 5:0 1:0.01" blocks="1428" windows="1 16 64" clients="1 50" rounds=2 seconds=3 out=
while [ $# -gt 0 ]; do
  case $1 in
    -l) lines=$2 ;; -b) blocks=$2 ;; -w) windows=$2 ;; -c) clients=$2 ;;
    -r) rounds=$2 ;; -d) seconds=$2 ;; -o) out=$2 ;;
    *) sed -n 2,8p "$0" >&2; exit 2 ;;
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
# The agent's disk, with the same file as an image of its release.
if [ -x "$bin/farboot-agent" ] && [ -x "$bin/serve_tree" ]; then
  mkdir "$work/agent"
  : >"$work/fill.log"
  "$bin/serve_tree" "$work/root" "$work/agent" 0 "$work/paths" >"$work/fill.log" &
  filler=$!
  until grep -q ready "$work/fill.log"; do kill -0 "$filler"; done
  kill "$filler"
  wait "$filler" || true
  cat >"$work/agent.toml" <<TOML
state_dir = "$work/agent"
log_level = "error"
dhcp_mode = "off"
http_address = "10.9.0.1"
http_port = 8080
tftp_port = 6904
tftp_ipxe_script = "off"
tftp_sessions_per_client_max = 512 # all of them come from one address
TOML
fi
chmod -R a+rX "$work"

names=() ports=() owners=() files=()
# start NAME PORT FILE COMMAND...: in the server's namespace
start() {
  local name=$1 port=$2 file=$3
  shift 3
  ip netns exec "$a" "$@" >"$work/$name.log" 2>&1 &
  pids+=($!)
  names+=("$name") ports+=("$port") owners+=($!) files+=("$file")
}
# Transfers that a cell broke off stay with the peers for a while: their limits leave room for those.
servers() {
  names=() ports=() owners=() files=()
  start ours 6901 big "$bin/tftp_serve" 6901 "$work/root"
  if [ -f "$work/agent.toml" ]; then
    start agent 6904 images/bench/big "$bin/farboot-agent" --config "$work/agent.toml"
  fi
  if command -v in.tftpd >/dev/null; then
    start hpa 6902 big in.tftpd -L -a 10.9.0.1:6902 -u root -s "$work/root"
  fi
  if command -v "$atftpd" >/dev/null; then
    start atftpd 6903 big "$atftpd" --daemon --no-fork --port 6903 --user root --group root --maxthread 2000 "$work/root"
  fi
  if command -v dnsmasq >/dev/null; then
    start dnsmasq 69 big dnsmasq -k -p0 --enable-tftp --tftp-max=2000 --tftp-root="$work/root" -i nem0 --bind-interfaces -u root --pid-file= \
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
  : >"$work/netem.log"
  "$bin/tun_netem" "$a" 10.9.0.1/24 "$b" 10.9.0.2/24 --rtt "${line%:*}" --loss "${line#*:}" >"$work/netem.log" &
  pids+=($!)
  until grep -q ready "$work/netem.log"; do kill -0 "${pids[0]}"; done
  servers
  for round in $(seq "$rounds"); do
    for c in $clients; do for block in $blocks; do for window in $windows; do for i in "${!names[@]}"; do
      result=$(ip netns exec "$b" "$bin/tftp_load" -a "10.9.0.1:${ports[$i]}" -f "${files[$i]}" -c "$c" -d "$seconds" -b "$block" \
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
OURS = ("ours", "agent")
cells = defaultdict(list)
for text in open(sys.argv[1]):
    row = json.loads(text)
    cells[row["line"], row["clients"], row["blksize"], row["windowsize"], row["server"]].append(row)
median = lambda rows, key: statistics.median(r[key] for r in rows)
rates = {cell: median(rows, "MBps") for cell, rows in cells.items()}


def best_peer(line, clients, block, window=None):
    """Of all peers: at the window that was asked for, or at any."""
    return max((rate for (l, c, b, w, server), rate in rates.items()
                if (l, c, b) == (line, clients, block) and window in (None, w) and server not in OURS), default=0)


def bound(line, clients, block, window):
    rtt = float(line.split(":")[0]) / 1e3
    return clients * window * block / rtt / 1e6 if rtt else 0


print("rtt:loss   cli   blk  win server      MB/s  x best same w  x best any w  %bound  p99ms  retries  errs cpu s/GB")
for (line, clients, block, window, server), rows in sorted(cells.items()):
    rate, most = rates[line, clients, block, window, server], bound(line, clients, block, window)
    ratio = lambda best: f"{rate / best:13.2f}" if best else "            -"
    share = f"{100 * rate / most:6.1f}" if most else "     -"
    print(f"{line:9} {clients:4} {block:5} {window:4} {server:8} {rate:8.2f} "
          f"{ratio(best_peer(line, clients, block, window))} {ratio(best_peer(line, clients, block))}  {share} "
          f"{median(rows, 'p99ms'):6.0f} {median(rows, 'retries'):7.0f} {sum(r['errs'] for r in rows):5} "
          f"{median(rows, 'srv_cpu_s_per_GB'):7.2f}")

# What design.md asks: lines, clients, windows, what is compared, the least it must be.
goals = [("windowsize 1, x best peer", ("0:0", "1:0", "5:0"), 1, (1,), "same", 1.0),
         ("windowsize 16 and 64, RTT 5 ms, share of window / RTT", ("5:0",), 1, (16, 64), "bound", 0.9),
         ("1 % loss, windowsize 1, x best peer", ("1:0.01",), 1, (1,), "same", 8.0),
         ("1 % loss, windowsize 16, x best peer", ("1:0.01",), 1, (16,), "same", 5.0),
         # 50 windows of 16 are 228 MB/s and no more, which a peer's larger window may pass: the better of both is judged.
         ("50 clients, better of windowsize 16 and 64, RTT 5 ms, x best peer at any", ("5:0",), 50, (16, 64), "any", 1.3)]
missed = 0
print("\ngoal                                                                    server  rtt:loss   blk win  value   least")
for name, lines, clients, windows, against, least in goals:
    judged = False
    for (line, c, block, window, server), rate in sorted(rates.items()):
        if server not in OURS or line not in lines or c != clients or window not in windows:
            continue
        base = {"same": lambda: best_peer(line, c, block, window), "any": lambda: best_peer(line, c, block),
                "bound": lambda: bound(line, c, block, window)}[against]()
        if not base:
            continue
        judged = True
        if against == "any" and rate < max(rates[l, k, b, w, s] for (l, k, b, w, s) in rates
                                           if (l, k, b, s) == (line, c, block, server) and w in windows):
            continue
        value = rate / base
        missed += value < least
        print(f"{name:71} {server:7} {line:9} {block:5} {window:3} {value:6.2f}  {least:6.2f}  "
              f"{'ok' if value >= least else 'MISS'}")
    if not judged:
        print(f"{name:71} not measured")
errors = sum(row["errs"] for (*_, server), rows in cells.items() if server in OURS for row in rows)
if errors:
    print(f"{errors} transfers of ours failed")
sys.exit(1 if missed or errors else 0)
PY
