#!/usr/bin/env bash
# The HTTP server beside nginx (sendfile): interleaved rounds, medians, ratios taken round by round.
# Only ratios of one run mean something. Status 1: a number of the table was missed.
# usage: http_bench.sh BIN_DIR [ROUNDS] [SECONDS]
set -euo pipefail
bin=$(cd "$1" && pwd)
rounds=${2:-5} seconds=${3:-2}
# shellcheck disable=SC2153
connections=${CONNECTIONS:-1 8 64} files=${FILES:-200}
work=$(mktemp -d)
pids=()
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# Files of 1 to 5 MB, as packages are.
mkdir "$work/tree" "$work/state"
for ((i = 0; i < files; i++)); do
  # As cp and rsync write: in small pieces nginx would send from a page cache of small pieces.
  head -c $((1000000 + i * 7919 % 4000 * 1000)) /dev/urandom |
    dd of="$work/tree/package-$i.rpm" bs=128K iflag=fullblock status=none
done

cat >"$work/nginx.conf" <<N
daemon off; worker_processes 2; pid $work/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000;
  open_file_cache max=2000; types { } default_type application/octet-stream;
  client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work;
  uwsgi_temp_path $work; scgi_temp_path $work;
  server { listen 127.0.0.1:NGINX_PORT; root $work/tree; }
}
N
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/NGINX_PORT/$port/" "$work/nginx.conf"
nginx -p "$work" -c "$work/nginx.conf" &
nginx_pid=$!
pids+=("$nginx_pid")
"$bin/serve_tree" "$work/tree" "$work/state" 0 "$work/farboot.paths" >"$work/ready" 2>"$work/serve.log" &
farboot_pid=$!
pids+=("$farboot_pid")
until grep -q ready "$work/ready"; do
  kill -0 "$farboot_pid" || { cat "$work/serve.log" >&2; exit 1; }
  read -rt 0.2 <> <(:) || true
done
farboot_port=$(awk '{print $2}' "$work/ready")
sed 's|^/t/[0-9a-f]*||' "$work/farboot.paths" >"$work/nginx.paths"

# load SERVER CONNECTIONS [OPTIONS]
load() {
  local server=$1 count=$2 address all
  shift 2
  if [ "$server" = nginx ]; then
    address=127.0.0.1:$port
    all=$nginx_pid,$(pgrep -d, -P "$nginx_pid")
  else
    address=127.0.0.1:$farboot_port
    all=$farboot_pid
  fi
  "$bin/http_load" "$address" "$work/$server.paths" "$count" --pids "$all" "$@"
}

for server in nginx farboot; do load $server 4 --once >/dev/null; done # warm
for ((round = 0; round < rounds; round++)); do
  for count in $connections; do
    for server in nginx farboot; do
      load $server "$count" --seconds "$seconds" | sed "s/^{/{\"server\":\"$server\",\"round\":$round,/" >>"$work/results"
    done
  done
done

python3 - "$work/results" <<'P'
import json, statistics, sys

rows = [json.loads(line) for line in open(sys.argv[1])]
missed = []
print("clients server   MB/s  ratio  MB/CPU-s ratio   p50 ms  p99 ms ratio  anon MB failures")
for count in sorted({r["connections"] for r in rows}):
    nginx = {r["round"]: r for r in rows if r["connections"] == count and r["server"] == "nginx"}
    for server in ("nginx", "farboot"):
        mine = [r for r in rows if r["connections"] == count and r["server"] == server]
        median = lambda key: statistics.median(r[key] for r in mine)
        ratio = lambda key: statistics.median(r[key] / nginx[r["round"]][key] for r in mine if nginx[r["round"]][key])
        print(f"{count:7} {server:7} {median('mb_per_second'):6.0f} {ratio('mb_per_second'):6.2f}"
              f" {median('mb_per_cpu_second'):9.0f} {ratio('mb_per_cpu_second'):5.2f}"
              f" {median('p50_ms'):8.1f} {median('p99_ms'):7.1f} {ratio('p99_ms'):5.2f}"
              f" {median('anonymous_mb'):8.1f} {sum(r['failures'] for r in mine):8}")
        if server == "farboot" and count > 1:
            missed += [f"{count} clients: {what}" for what, bad in (
                ("bytes per CPU-second below nginx", ratio("mb_per_cpu_second") < 1),
                ("p99 above 1.15 x nginx", count == 64 and ratio("p99_ms") > 1.15),
                ("anonymous RSS above 64 MB", median("anonymous_mb") > 64),
                ("failed requests", any(r["failures"] for r in mine))) if bad]
sys.exit("missed: " + "; ".join(missed) if missed else 0)
P
