#!/usr/bin/env bash
# site.sh: virtual sites of network namespaces. Needs root (or a user namespace with its own network:
# isolate.py makes one), iproute2, dnsmasq, nftables. Touches no interface of this machine.
#
#   wan netns  $PREFIX-wan        br0 198.18.0.1/16     the Internet: the controller runs here
#     |  uplink (veth; rate, delay and loss can be set; can be cut)
#   site netns $PREFIX-NAME       br0 10.I.0.1/24       home router: DHCP that gives addresses ONLY, DNS, NAT
#     |- pi netns $PREFIX-NAME-pi eth0 10.I.0.2/24      the agent runs here
#     |- tap0..tapN-1                                   ports for QEMU (vm.py)
#     `- client netns made by `client`                  ports for the fake clients
set -euo pipefail
prefix=${FARBOOT_LAB_PREFIX:-fb}
lab=${FARBOOT_LAB:-${TMPDIR:-/tmp}/farboot-lab}
wannet=198.18.0
bridge_mac=02:00:0a:00:00:01
here=$(cd "$(dirname "$0")" && pwd)
wan=$prefix-wan

usage() {
  cat >&2 <<U
usage: site.sh up NAME [-i INDEX] [-n TAPS] [-D] [-B FILE]   create a site (and the wan); -D: no DHCP server on the router;
                                                   -B: its DHCP server names the pi as next-server and FILE (may be '')
       site.sh down NAME | down-all                remove it, with every process in its namespaces
       site.sh client NAME CLIENT [MAC]            one more namespace on the site's LAN, eth0 without address
       site.sh shape NAME lan|tapK RATE|off        the pi's or a client's port, both directions (100mbit, 1gbit)
       site.sh shape NAME wan [rate R] [delay MS] [loss PCT] | off      the uplink, both directions
       site.sh cut|heal NAME [wan|pi|tapK]         link down / up (default wan: a silent black hole)
       site.sh wan-bytes NAME                      bytes through the uplink: towards the site, from the site
       site.sh exec wan|NAME|NAME/pi CMD...        run in the wan, router or pi namespace
       site.sh env NAME                            shell variables that describe the site
environment: FARBOOT_LAB_PREFIX (of the namespaces, $prefix)  FARBOOT_LAB (state and logs, $lab)
U
  exit 2
}

in_ns() {
  local namespace=$1
  shift
  ip netns exec "$namespace" "$@"
}

has_ns() { [ -e "/run/netns/$1" ]; }

kill_pidfile() {
  local pid
  [ -s "$1" ] || return 0
  pid=$(cat "$1")
  rm -f "$1"
  kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep .05; done
}

load() {
  S=$lab/site/$1
  [ -f "$S/env" ] || { echo "site.sh: no such site: $1" >&2; exit 1; }
  # shellcheck source=/dev/null
  . "$S/env"
}

bridge_up() { # namespace address/bits
  in_ns "$1" ip link set lo up
  # An address of its own: else it takes the lowest of its ports', another one when a port comes, and whoever is on the
  # LAN goes on sending to the old one for a minute.
  in_ns "$1" ip link add br0 address "$bridge_mac" type bridge forward_delay 0
  in_ns "$1" ip addr add "$2" brd + dev br0
  in_ns "$1" ip link set br0 up
}

wan_up() {
  has_ns "$wan" && return
  ip netns add "$wan"
  # The operator works beside the controller and knows it by the name the sites know.
  mkdir -p "/etc/netns/$wan"
  printf '127.0.0.1 localhost\n%s.1 controller.test\n' "$wannet" >"/etc/netns/$wan/hosts"
  bridge_up "$wan" $wannet.1/16
}

uplink_up() {
  ip link add up0 netns "$NS" type veth peer name "w$IDX" netns "$wan"
  in_ns "$wan" ip link set "w$IDX" master br0 up
  in_ns "$NS" ip addr add "$WANIP/16" dev up0
  in_ns "$NS" ip link set up0 up
  in_ns "$NS" ip route add default via $wannet.1
  in_ns "$NS" sysctl -qw net.ipv4.ip_forward=1
  # A bridge must not hand its frames to netfilter, or the NAT rules would see LAN-local traffic.
  in_ns "$NS" sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true
  in_ns "$NS" nft 'table ip nat { chain post { type nat hook postrouting priority 100; oifname "up0" masquerade; }; }'
}

# Addresses only. No next-server, no bootfile, no option 43, 60, 66, 67. With -B as a switch would do it: one file name for all.
router_up() { # ['' | boot FILE]
  local boot=()
  [ "${1:-}" != boot ] || boot=(--dhcp-boot="$2,,$PI")
  in_ns "$NS" dnsmasq --conf-file=/dev/null --keep-in-foreground --interface=br0 --bind-interfaces \
    --except-interface=lo --no-resolv --no-hosts --address=/controller.test/$wannet.1 --address=/pi.test/"$PI" \
    --dhcp-range="${NET%.0}.100,${NET%.0}.199,255.255.255.0,1h" --dhcp-authoritative --no-ping --log-dhcp \
    --log-facility="$S/router.log" --dhcp-leasefile="$S/leases" --pid-file="$S/router.pid" --user=root "${boot[@]}" \
    >/dev/null 2>&1 &
  local i
  for i in $(seq 100); do
    [ -s "$S/router.pid" ] && return
    [ "$i" = 100 ] || sleep .05
  done
  echo "site.sh: the router's DHCP server did not start" >&2
  exit 1
}

next_index() {
  local index=101
  while grep -qs "^IDX=$index$" "$lab"/site/*/env; do index=$((index + 1)); done
  echo "$index"
}

site_up() {
  local name=$1 index='' taps=2 dhcp=1 boot=() option i
  shift
  while getopts i:n:DB: option; do
    case $option in i) index=$OPTARG ;; n) taps=$OPTARG ;; D) dhcp='' ;; B) boot=(boot "$OPTARG") ;; *) usage ;; esac
  done
  mkdir -p "$lab/site/$name"
  [ -n "$index" ] || index=$(next_index)
  local net=10.$index.0
  cat >"$lab/site/$name/env" <<E
NAME=$name
IDX=$index
NS=$prefix-$name
PINS=$prefix-$name-pi
WANNS=$wan
NET=$net.0
ROUTER=$net.1
PI=$net.2
WANIP=$wannet.$index
CONTROLLER=$wannet.1
TAPS=$taps
E
  load "$name"
  wan_up
  ip netns add "$NS"
  ip netns add "$PINS"
  mkdir -p "/etc/netns/$PINS" "/etc/netns/$NS"
  echo "nameserver $ROUTER" >"/etc/netns/$PINS/resolv.conf"
  echo "nameserver 127.0.0.1" >"/etc/netns/$NS/resolv.conf"
  bridge_up "$NS" "$ROUTER/24"
  port_up "$PINS" pi0 "02:00:0a:$(printf %02x "$IDX"):00:02"
  in_ns "$PINS" ip addr add "$PI/24" brd + dev eth0
  in_ns "$PINS" ip route add default via "$ROUTER"
  for ((i = 0; i < taps; i++)); do
    in_ns "$NS" ip tuntap add "tap$i" mode tap
    in_ns "$NS" ip link set "tap$i" master br0 up
  done
  uplink_up
  [ -z "$dhcp" ] || router_up "${boot[@]}"
  cat "$S/env"
}

port_up() { # namespace port mac: a port on the site's bridge; its other end is eth0 in the namespace
  in_ns "$1" ip link set lo up
  ip link add "$2" netns "$NS" type veth peer name eth0 netns "$1"
  in_ns "$NS" ip link set "$2" master br0 up
  in_ns "$1" ip link set eth0 address "$3" up
}

client_up() {
  load "$1"
  local client=$2 mac=${3:-}
  [ -n "$mac" ] || mac=02:00:0b:$(od -An -N3 -tx1 /dev/urandom | sed 's/^ *//; s/ /:/g')
  ip netns add "$NS-$client"
  port_up "$NS-$client" "$client" "$mac"
  echo "$NS-$client"
}

namespaces_of_site() { # everything named after it: router, pi, clients
  local path
  for path in "/run/netns/$NS" "/run/netns/$NS"-*; do [ ! -e "$path" ] || basename "$path"; done
}

kill_namespace() { # namespace signal
  local pid
  for pid in $(ip netns pids "$1" 2>/dev/null); do kill "-$2" "$pid" 2>/dev/null || true; done
}

delete_namespace() {
  kill_namespace "$1" TERM
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "$(ip netns pids "$1" 2>/dev/null)" ] || break
    sleep .1
  done
  kill_namespace "$1" KILL
  ip netns del "$1" 2>/dev/null || true
  rm -rf "/etc/netns/${1:?}"
}

site_down() {
  load "$1"
  local file namespace
  for file in "$S"/*.pid; do kill_pidfile "$file"; done
  for namespace in $(namespaces_of_site); do delete_namespace "$namespace"; done
  in_ns "$WANNS" ip link del "em$IDX" 2>/dev/null || true
  rm -rf "$S"
  # The last one puts out the light.
  compgen -G "$lab/site/*/env" >/dev/null || delete_namespace "$WANNS"
}

tbf() { # namespace device rate|off [burst]
  in_ns "$1" tc qdisc del dev "$2" root 2>/dev/null || true
  [ "$3" = off ] || in_ns "$1" tc qdisc add dev "$2" root tbf rate "$3" burst "${4:-128kb}" latency 40ms
}

shape_tap() { # tap rate|off
  tbf "$NS" "$1" "$2"
  in_ns "$NS" tc qdisc del dev "$1" ingress 2>/dev/null || true
  [ "$2" != off ] || return 0
  in_ns "$NS" tc qdisc add dev "$1" ingress
  in_ns "$NS" tc filter add dev "$1" parent ffff: protocol all u32 match u32 0 0 police rate "$2" burst 256k drop
}

shape_wan() { # off | [rate R] [delay MS] [loss PCT]
  local rate='' delay=0 loss=0 port=w$IDX
  kill_pidfile "$S/linkem.pid"
  tbf "$NS" up0 off
  tbf "$WANNS" "$port" off
  in_ns "$WANNS" ip link set "$port" master br0
  in_ns "$WANNS" ip link del "em$IDX" 2>/dev/null || true
  [ "${1:-off}" != off ] || return 0
  while [ $# -gt 1 ]; do
    case $1 in rate) rate=$2 ;; delay) delay=${2%ms} ;; loss) loss=${2%\%} ;; *) usage ;; esac
    shift 2
  done
  if [ "$delay" = 0 ] && [ "$loss" = 0 ]; then
    tbf "$NS" up0 "$rate"
    tbf "$WANNS" "$port" "$rate"
    return
  fi
  local netem=(root netem delay "${delay}ms" loss "${loss}%" ${rate:+rate "$rate"} limit 20000)
  if in_ns "$NS" tc qdisc add dev up0 "${netem[@]}" 2>/dev/null; then
    in_ns "$WANNS" tc qdisc add dev "$port" "${netem[@]}"
    return
  fi
  # No netem in this kernel: a small one in user space. up0 - port - bridge em - ea ~linkem.py~ eb - br0
  in_ns "$WANNS" ip link add "em$IDX" type bridge forward_delay 0
  in_ns "$WANNS" ip link set "em$IDX" up
  in_ns "$WANNS" ip link set "$port" master "em$IDX"
  in_ns "$WANNS" /usr/bin/python3 "$here/linkem.py" --a "ea$IDX" --b "eb$IDX" --delay-ms "$delay" \
    --loss-pct "$loss" ${rate:+--rate "$rate"} >"$S/linkem.log" 2>&1 </dev/null &
  echo $! >"$S/linkem.pid"
  for _ in $(seq 100); do
    in_ns "$WANNS" ip link show "eb$IDX" >/dev/null 2>&1 && break
    sleep .05
  done
  in_ns "$WANNS" ip link set "ea$IDX" master "em$IDX" up
  in_ns "$WANNS" ip link set "eb$IDX" master br0 up
  # Bridges learn the new way.
  for _ in $(seq 30); do in_ns "$NS" ping -qc1 -W1 $wannet.1 >/dev/null 2>&1 && break; done
}

shape() { # NAME what ...
  load "$1"
  case $2 in
    # 128 KiB last 1 ms at 1 Gbit/s: a timer that comes later than that would waste part of the line.
    lan) tbf "$NS" pi0 "$3" 1mb && tbf "$PINS" eth0 "$3" 1mb ;;
    tap*) shape_tap "$2" "$3" ;;
    wan) shift 2 && shape_wan "$@" ;;
    *) usage ;;
  esac
}

link_state() { # up|down NAME [port]
  load "$2"
  case ${3:-wan} in
    wan) in_ns "$WANNS" ip link set "w$IDX" "$1" ;;
    pi) in_ns "$NS" ip link set pi0 "$1" ;;
    tap*) in_ns "$NS" ip link set "$3" "$1" ;;
    *) usage ;;
  esac
}

wan_bytes() {
  load "$1"
  in_ns "$WANNS" cat "/sys/class/net/w$IDX/statistics/tx_bytes" "/sys/class/net/w$IDX/statistics/rx_bytes" | xargs
}

exec_in() { # wan|NAME|NAME/pi command...
  local where=$1
  shift
  case $where in
    wan) exec ip netns exec "$wan" "$@" ;;
    */pi) load "${where%/pi}" && exec ip netns exec "$PINS" "$@" ;;
    *) load "$where" && exec ip netns exec "$NS" "$@" ;;
  esac
}

[ $# -ge 2 ] || [ "${1:-}" = down-all ] || usage
command=$1
shift
case $command in
  up) site_up "$@" ;;
  down) site_down "$1" ;;
  down-all)
    for file in "$lab"/site/*/env; do [ ! -f "$file" ] || (site_down "$(basename "$(dirname "$file")")"); done
    ;;
  client) client_up "$@" ;;
  env) load "$1" && cat "$S/env" ;;
  shape) shape "$@" ;;
  cut) link_state down "$@" ;;
  heal) link_state up "$@" ;;
  wan-bytes) wan_bytes "$1" ;;
  exec) exec_in "$@" ;;
  *) usage ;;
esac
