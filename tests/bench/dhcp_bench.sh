#!/usr/bin/env bash
# dhcp_bench.sh BIN [-r RATE] [-d SECONDS] [-n CLIENTS]
#
# The real farboot-agent beside perfdhcp (package kea-admin): DISCOVER and OFFER of PXE clients, each second RATE of them
# from CLIENTS machines in turn, in two network namespaces made and removed here (root). perfdhcp speaks as a relay does,
# from port 67 with a giaddr of its own: it cannot act as many clients on a wire. Judged: at least 2000 exchanges a second,
# none lost, and that memory stays as it was; status 1 if one is missed. dnsmasq as a proxy answers the same relay in the
# same run, for comparison; it is not judged. BIN holds farboot-agent and serve_tree.
set -euo pipefail
bin=$(readlink -f "${1:?BIN}")
peers=$(readlink -m "$(dirname "$0")/../../build/peers") # ./dev bench dhcp
shift
rate=2500 seconds=60 clients=20000
while [ $# -gt 0 ]; do
  case $1 in
    -r) rate=$2 ;; -d) seconds=$2 ;; -n) clients=$2 ;;
    *) sed -n 2,9p "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ "$(id -u)" = 0 ] || { echo "dhcp_bench: network namespaces need root" >&2; exit 1; }
perfdhcp=$(command -v perfdhcp || echo "$peers/usr/sbin/perfdhcp")
[ -x "$perfdhcp" ] || { echo "dhcp_bench: no perfdhcp: ./dev bench dhcp unpacks it" >&2; exit 1; }
least_rate=2000 most_growth_kb=1024
work=$(mktemp -d)
a=fbd$$a b=fbd$$b
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "$a" 2>/dev/null || true
  ip netns del "$b" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

ip netns add "$a"
ip netns add "$b"
ip -n "$a" link add wire type veth peer name wire netns "$b"
for end in "$a 10.9.0.1" "$b 10.9.0.2"; do
  ip -n "${end% *}" link set lo up
  ip -n "${end% *}" addr add "${end#* }/24" dev wire
  ip -n "${end% *}" link set wire up
done

# A BIOS machine: class, architecture, UNDI and GUID as its ROM sends them.
pxe=(-o "60,$(printf 'PXEClient:Arch:00000:UNDI:002001' | od -An -tx1 | tr -d ' \n')" -o "93,0000" -o "94,010201"
  -o "97,00$(printf '%032d' 7)")
# load RATE SECONDS CLIENTS LOG: perfdhcp's own report; its status says whether all was answered.
load() {
  ip netns exec "$b" env LD_LIBRARY_PATH="$peers/usr/lib/$(uname -m)-linux-gnu" "$perfdhcp" -4 -i -r "$1" -p "$2" -R "$3" \
    -W 1000000 "${pxe[@]}" 10.9.0.1 >"$4" 2>&1 || [ $? = 3 ] || { cat "$4" >&2; return 1; }
}
number() { sed -n "s/^$1: *\([0-9.]*\).*/\1/p" "$2" | head -n 1; }
# wait_for NAME: until the server answers, at most 10 s
wait_for() {
  local i
  for ((i = 0; i < 10; i++)); do
    if load 10 1 1 "$work/try.log" && [ "$(number 'received packets' "$work/try.log")" -gt 0 ]; then return 0; fi
    kill -0 "$server" 2>/dev/null || break
  done
  echo "dhcp_bench: $1 does not answer" >&2
  tail -n 5 "$work/$1.log" "$work/try.log" >&2
  return 1
}
stop_server() {
  kill "$server"
  wait "$server" || true
  server=
}
kilobytes() { sed -n 's/^RssAnon:\s*\([0-9]*\) kB/\1/p' "/proc/$server/status"; }

mkdir "$work/root" "$work/agent"
head -c 70000 /dev/urandom >"$work/root/undionly.kpxe"
: >"$work/fill.log"
"$bin/serve_tree" "$work/root" "$work/agent" 0 "$work/paths" >"$work/fill.log" 2>&1 &
server=$!
until grep -q ready "$work/fill.log"; do kill -0 "$server"; done
stop_server
cat >"$work/agent.toml" <<TOML
state_dir = "$work/agent"
http_address = "10.9.0.1"
dhcp_mode = "proxy"
dhcp_relays = "auto" # nobody else holds the port
dhcp_answers_per_second_max = 1000000
dhcp_answers_per_client_max = 100000 # machines share buckets, and there are many
TOML

ip netns exec "$a" "$bin/farboot-agent" --config "$work/agent.toml" >"$work/agent.log" 2>&1 &
server=$!
wait_for agent
grep -q 'event=dhcp.answered .* file=undionly.kpxe' "$work/agent.log" # what a ROM boots
load "$rate" 5 "$clients" "$work/warm.log"
before=$(kilobytes)
load "$rate" "$seconds" "$clients" "$work/agent.report"
after=$(kilobytes)
stop_server

peer=
if command -v dnsmasq >/dev/null; then
  ip netns exec "$a" dnsmasq -k --port=0 --dhcp-range=10.9.0.0,proxy --pxe-service=x86PC,boot,undionly --user=root \
    --pid-file= --log-facility="$work/dnsmasq.log" &
  server=$!
  if wait_for dnsmasq; then
    if load "$rate" "$((seconds < 10 ? seconds : 10))" "$clients" "$work/dnsmasq.report"; then peer=1; fi
  fi
  stop_server
fi

missed=0
report() {
  local sent received
  sent=$(number 'sent packets' "$2") received=$(number 'received packets' "$2")
  awk -v name="$1" -v sent="$sent" -v got="$received" -v took="$3" -v delay="$(number 'avg delay' "$2")" 'BEGIN {
    printf "%-8s %10d %10d %8d %12.0f %10s\n", name, sent, got, sent - got, got / took, delay }'
}
# judge WHAT VALUE WORD BOUND: WORD is least or most
judge() {
  local word=ok
  awk -v v="$2" -v w="$3" -v b="$4" 'BEGIN { exit !(w == "least" ? v >= b : v <= b) }' || { word=MISS; missed=1; }
  printf '%-40s %10s  %-5s %6s  %s\n' "$1" "$2" "$3" "$4" "$word"
}
echo "server         sent   answered     lost   exchanges/s   avg ms"
report agent "$work/agent.report" "$seconds"
[ -z "$peer" ] || report dnsmasq "$work/dnsmasq.report" "$((seconds < 10 ? seconds : 10))"
sent=$(number 'sent packets' "$work/agent.report") received=$(number 'received packets' "$work/agent.report")
echo
judge "exchanges a second" "$((received / seconds))" least "$least_rate"
judge "exchanges lost" "$((sent - received))" most 0
judge "memory of its own before and after, kB" "$((after - before))" most "$most_growth_kb"
[ $missed = 0 ]
