#!/bin/bash
# Runs inside the Debian of nspawn_test.sh and machine_test.sh, as root, with systemd: what an operator does with the
# packages, and what the machines of the site are given meanwhile.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
agent=farboot-agent controller=farboot-controller
say() { echo "walk: $* (${SECONDS} s)"; }
fail() {
  say "FAILED: $*"
  systemctl --no-pager status 'farboot-*' || true
  journalctl --no-pager -n 60 -u 'farboot-*' || true
  exit 1
}
until_true() { # what command...
  local what=$1 i
  shift
  for ((i = 0; i < 900; i++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep .2
  done
  fail "$what"
}
fb() { farboot --context /var/lib/farboot-controller/operator "$@"; }
property() { systemctl show -p "$2" --value "$1"; }
has() { [ "$(property "$1" "$2")" = "$3" ]; }
changed() { ! has "$@"; }
is() { # UNIT PROPERTY VALUE
  has "$@" || fail "$1: $2 is $(property "$1" "$2"), not $3"
}
of_process() { sed -n "s/^$2:\s*//p" "/proc/$(property "$1" MainPID)/status"; }
machines() { "$here/machines.py" "$@" || fail "machines.py $*"; }
serving() { curl -fsS -o /dev/null http://10.9.0.2/images/centos7/.treeinfo; }
logged() { # UNIT TEXT: since the unit was started last
  journalctl --no-pager -q "_SYSTEMD_INVOCATION_ID=$(property "$1" InvocationID)" | grep -q -- "$2"
}
linked() { fb agent list | grep -q online; }
packs_mb() { du -sm /var/lib/farboot-agent/packs | cut -f1; }
packs_below() { [ "$(packs_mb)" -lt "$1" ]; }
settings() { sed "s/^names = .*/names = [\"10.9.0.2\"]/" -i /etc/farboot/controller.toml; }

packages() { # command...
  "$@" >/tmp/packages.log 2>&1 || { cat /tmp/packages.log; fail "$*"; }
}

# newer PART: /tmp/PART.deb, the same package with a higher version.
newer() {
  rm -rf "/tmp/$1"
  dpkg-deb -R "/debs/farboot-$1"_*.deb "/tmp/$1"
  sed -i 's/^Version: .*/Version: 99.0/' "/tmp/$1/DEBIAN/control"
  dpkg-deb -b -Zgzip -z1 --root-owner-group "/tmp/$1" "/tmp/$1.deb" >/dev/null
}

roll_out() {
  fb rollout start "$1" --site lyon || fail "rollout of $1"
  fb rollout watch | cat || fail "rollout watch of $1"
}
armed() { fb host list | grep -q 'web1.*armed'; }

a_site() { # its LAN, and its own DHCP server, which gives addresses and nothing else
  ip link add lan address 02:00:0a:00:00:01 type bridge
  ip addr add 10.9.0.2/24 brd + dev lan
  ip link set lan up
  ip netns add router
  ip link add v-router type veth peer name eth0 netns router
  ip link set v-router master lan up
  ip -n router link set lo up
  ip -n router addr add 10.9.0.1/24 brd + dev eth0
  ip -n router link set eth0 up
  ip netns exec router dnsmasq --conf-file=/dev/null --interface=eth0 --port=0 --no-ping --dhcp-authoritative --user=root \
    --pid-file=/run/router.pid --dhcp-leasefile=/run/router.leases --dhcp-range=10.9.0.50,10.9.0.99,1h
}

installation() {
  local room=/proc/sys/net/core/rmem_max before
  before=$(cat $room)
  packages apt-get install -y --no-install-recommends /debs/farboot-*.deb
  until_true "the controller is active" systemctl is-active $controller
  until_true "it wrote the operator's certificate" test -s /var/lib/farboot-controller/operator/context.json
  until_true "the agent is active, though nobody has enrolled it" systemctl is-active $agent
  until_true "/v1/health" curl -fsS http://10.9.0.2/v1/health
  for service in $agent $controller; do
    is "$service" Type notify
    is "$service" UnitFileState enabled
    [ "$(stat -c %U:%a "/var/lib/$service")" = "$service:$([ "$service" = $agent ] && echo 700 || echo 750)" ] ||
      fail "whose $(stat -c '%n is: %U %a' "/var/lib/$service")"
    [ "$(of_process "$service" Uid | cut -f1)" = "$(id -u "$service")" ] || fail "$service runs as another user"
    [ "$(of_process "$service" NoNewPrivs)$(of_process "$service" Seccomp)" = 12 ] || fail "$service: no sandbox"
    systemd-analyze security --threshold=20 "$service" >/dev/null || fail "security of $service"
    say "$service: active as its own user, capabilities $(of_process "$service" CapEff)," \
      "exposure $(systemd-analyze security --no-pager "$service" | sed -n 's/.*Overall.*: \([0-9.]*\).*/\1/p')"
  done
  [ "$(of_process $agent CapEff)$(of_process $agent CapBnd)" = 00000000000024000000000000002400 ] || fail "capabilities of the agent"
  [ "$(of_process $controller CapBnd)" = 0000000000000000 ] || fail "capabilities of the controller"
  if [ ! -w $room ] || ! echo "$before" 2>/dev/null >$room; then
    say "rmem_max is $before: not for this container to set"
    return
  fi
  [ "$(cat $room)" -ge 1048576 ] || [ "$before" -lt 1048576 ] || fail "rmem_max"
  # The line above put back what was: as if the machine had just booted.
  systemctl restart systemd-sysctl
  [ "$(cat $room)" = 4194304 ] || fail "net.core.rmem_max after a boot is $(cat $room)"
  say "net.core.rmem_max: $before before, $(cat $room) now"
}

the_main_job() {
  settings
  systemctl restart $controller || fail "restart of the controller"
  fb image import /tree --name centos7 --tag 1708 | cat || fail "import"
  fb loader import || fail "loader import"
  fb apply /usr/share/doc/farboot-controller/examples/fleet || fail "apply"
  local command
  command=$(fb agent enroll --site lyon --name pi1 | grep -o 'farboot-agent enroll .*')
  say "enrolling: ${command:0:32}…"
  $command || fail "enrol"
  [ -z "$(find /var/lib/farboot-agent ! -user farboot-agent)" ] || fail "what enrolling wrote is not the agent's"
  roll_out r1
  until_true "the agent serves the release" serving
  cmp <(curl -fsS http://10.9.0.2/images/centos7/LiveOS/squashfs.img) /tree/LiveOS/squashfs.img || fail "content"
  fb agent list
}

what_nobody_names_goes() { # the sweep asks mincore(2), which answers truly only to the owner of the file
  local fleet=/tmp/fleet number room
  mkdir -p $fleet/sites
  touch $fleet/sites/lyon.yaml
  room=$(packs_mb)
  for number in 2 3; do
    printf 'menu:\n  title: Menu %s\n  entries: [local]\nentries:\n  local: {kind: local, title: Disk}\n' $number >$fleet/fleet.yaml
    fb apply $fleet || fail "apply of a fleet without images"
    roll_out r$number
  done
  until_true "the agent freed what nobody names" packs_below 4
  say "packs: $room MB, and $(packs_mb) MB without the image"
  fb apply /usr/share/doc/farboot-controller/examples/fleet || fail "apply"
  roll_out r4
  until_true "the agent serves it again" serving
  fb host install lyon/web1 || fail "host install"
  until_true "web1 is armed" armed
}

machines_boot() {
  machines boots web1 52:54:00:65:00:01 bios /tree
  farboot-agent host install web1 || fail "farboot-agent host install"
  machines boots web1-again 52:54:00:65:00:01 uefi /tree
  is $agent NRestarts 0
  is $controller NRestarts 0
  if journalctl --no-pager -u 'farboot-*' | grep -E 'Operation not permitted|Permission denied|EPERM|EACCES'; then
    fail "something was not permitted"
  fi
}

beside_a_server_that_keeps_its_port() {
  local held='' end
  systemctl stop $agent
  coproc "$here/machines.py" hold-67
  read -r held <&"${COPROC[0]}" || true
  [ "$held" = held ] || fail "port 67 is not held"
  systemctl start $agent || fail "start beside another server"
  until_true "it listens below the other server" logged $agent 'dhcp.listening.*relays=copy'
  machines offered stranger 52:54:00:65:00:77
  end=${COPROC[1]}
  exec {end}>&-
  wait "$COPROC_PID" || true
  say "with port 67 held by another server: offers by the packet socket"
}

service_manager() { # UNIT: watchdog, restarts, an orderly stop
  local unit=$1 seen
  systemctl restart "$unit" || fail "restart of $unit"
  seen=$(property "$unit" WatchdogTimestampMonotonic)
  until_true "$unit feeds the watchdog" changed "$unit" WatchdogTimestampMonotonic "$seen"
  kill -STOP "$(property "$unit" MainPID)"
  until_true "the watchdog ends $unit when it hangs" has "$unit" NRestarts 1
  until_true "$unit is active again" systemctl is-active "$unit"
  kill -KILL "$(property "$unit" MainPID)"
  until_true "$unit is started again" has "$unit" NRestarts 2
  until_true "$unit is active again" systemctl is-active "$unit"
  [ "$unit" = $agent ] || until_true "the agent is linked" linked
  systemctl stop "$unit" || fail "stop of $unit"
  is "$unit" Result success
  is "$unit" ExecMainStatus 0
  is "$unit" ExecMainCode 1 # exited by itself, not killed
}

services() {
  local folder
  for folder in /run/systemd/system/{$agent,$controller}.service.d; do
    mkdir -p "$folder"
    # What is stopped cannot obey the watchdog's SIGABRT: it is killed after TimeoutAbortSec.
    printf '[Service]\nWatchdogSec=10\nTimeoutAbortSec=2\n' >"$folder/quick.conf"
  done
  systemctl daemon-reload
  service_manager $controller # with an agent linked
  service_manager $agent
  rm -r /run/systemd/system/{$agent,$controller}.service.d
  systemctl daemon-reload
  systemctl start $controller $agent || fail "start"
  until_true "the agent serves what it served" serving
  say "watchdog, kill -9, restart, stop: as they should"
}

upgrade() {
  newer agent
  newer controller
  echo '# edited by the operator' >>/etc/farboot/agent.toml
  packages dpkg -i /tmp/agent.deb /tmp/controller.deb
  until_true "after an upgrade the agent serves the same" serving
  until_true "and is linked to the controller" linked
  grep -q 'edited by' /etc/farboot/agent.toml || fail "an upgrade keeps the settings"
  systemctl disable --now $agent 2>/dev/null
  packages dpkg -i /debs/farboot-agent_*.deb
  ! systemctl is-active -q $agent || fail "started though the operator switched it off"
  ! systemctl is-enabled -q $agent || fail "enabled though the operator switched it off"
  systemctl enable --now $agent 2>/dev/null
  until_true "after a downgrade the agent serves the same" serving
  say "upgrade and downgrade keep store, settings, and whether the service is on"
}

removal() {
  packages dpkg -r farboot-agent farboot-controller
  [ -s /var/lib/farboot-agent/identity/key.pem ] || fail "removal keeps the state"
  [ -f /etc/farboot/agent.toml ] || fail "removal keeps the settings"
  ! systemctl is-active -q $agent $controller || fail "still running after removal"
  packages dpkg -i /debs/farboot-*.deb
  until_true "installed again, the agent serves the same" serving
  say "removal keeps state and settings"
  packages dpkg -P farboot-agent farboot-controller
  local left
  left=$(find /etc /usr /var/lib /run -xdev -name '*farboot*' -not -path '/usr/share/zsh/*' || true)
  [ -z "$left" ] || fail "purge leaves $left"
  ! systemctl is-active -q $agent $controller || fail "still running after the purge"
  say "purge leaves nothing"
}

export DEBIAN_FRONTEND=noninteractive
a_site
installation
the_main_job
what_nobody_names_goes
machines_boot
beside_a_server_that_keeps_its_port
services
upgrade
removal
say "all good, on Linux $(uname -r) with systemd $(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')"
