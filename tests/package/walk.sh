#!/bin/bash
# Runs inside the container of nspawn_test.sh, as root, with systemd: what an operator does with the packages.
set -eu
say() { echo "walk: $*"; }
fail() {
  say "FAILED: $*"
  systemctl --no-pager status 'farboot-*' || true
  journalctl --no-pager -n 60 -u 'farboot-*' || true
  exit 1
}
until_true() { # what command...
  local what=$1 i
  shift
  for ((i = 0; i < 300; i++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep .2
  done
  fail "$what"
}
fb() { farboot --context /var/lib/farboot-controller/operator "$@"; }
restarts() { systemctl show -p NRestarts --value "$1"; }

ip link add eth9 type bridge
ip addr add 10.9.0.2/24 brd + dev eth9
ip link set eth9 up

export DEBIAN_FRONTEND=noninteractive
dpkg -i /debs/farboot-controller_*.deb /debs/farboot-agent_*.deb || fail "dpkg -i"
until_true "the controller is active" systemctl is-active farboot-controller
until_true "it wrote the operator's certificate" test -s /var/lib/farboot-controller/operator/context.json
[ "$(stat -c %U /var/lib/farboot-controller)" = farboot-controller ] || fail "owner of the controller's state"
until_true "the agent is active, though nobody has enrolled it" systemctl is-active farboot-agent
until_true "/v1/health" curl -fsS http://10.9.0.2/v1/health
say "both services active after installation"

fb image import /tree --name centos7 --tag 1708 || fail "import"
fb loader import || fail "loader import"
fb apply /usr/share/doc/farboot-controller/examples/fleet || fail "apply"
command=$(fb agent enroll --site lyon --name pi1 | grep -o 'farboot-agent enroll .*')
say "enrolling: ${command:0:32}…"
$command || fail "enrol"
[ "$(stat -c %U /var/lib/farboot-agent/identity/key.pem)" = farboot-agent ] || fail "owner of the agent's key"
fb rollout start r1 --site lyon || fail "rollout"
until_true "the agent serves the release" curl -fsS -o /dev/null http://10.9.0.2/images/centos7/.treeinfo
cmp <(curl -fsS http://10.9.0.2/images/centos7/LiveOS/squashfs.img) /tree/LiveOS/squashfs.img || fail "content"
say "the agent serves r1 over HTTP"
[ "$(restarts farboot-agent)$(restarts farboot-controller)" = 00 ] || fail "a service restarted by itself"
ps -o user=,args= -C farboot-agent,farboot-controller

for service in farboot-agent farboot-controller; do
  systemd-analyze security --threshold=20 "$service" >/dev/null || fail "security of $service"
done
say "systemd-analyze security: at most 2.0 each, as running"

dpkg -i /debs/farboot-agent_*.deb || fail "upgrade"
until_true "after an upgrade the agent serves the same" curl -fsS -o /dev/null http://10.9.0.2/images/centos7/.treeinfo
say "upgrade keeps the store"
dpkg -r farboot-agent farboot-controller || fail "removal"
[ -s /var/lib/farboot-agent/identity/key.pem ] || fail "removal keeps the state"
[ -f /etc/farboot/agent.toml ] || fail "removal keeps the settings"
! systemctl is-active -q farboot-agent farboot-controller || fail "still running after removal"
dpkg -P farboot-agent farboot-controller || fail "purge"
[ ! -e /var/lib/farboot-agent ] || fail "purge leaves the state"
[ ! -e /etc/farboot/agent.toml ] || fail "purge leaves the settings"
say "removal keeps state and settings, purge takes them"
say "all good"
