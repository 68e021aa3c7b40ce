#!/usr/bin/env bash
# arm64_test.sh DEBS SYSROOT TREE: the programs of the arm64 packages, emulated by qemu-user over the libraries of a Debian 12
# arm64, do the main job in a network namespace of their own: import, apply, enrol, roll out, serve. Needs root.
set -euo pipefail
debs=$(cd "$1" && pwd)
sysroot=$2
tree=$(cd "$3" && pwd)
[ "$(id -u)" = 0 ] || { echo "arm64_test: needs root" >&2; exit 77; }
if [ -z "${FARBOOT_ARM64_NETNS:-}" ]; then
  FARBOOT_ARM64_NETNS=1 exec unshare --net --pid --fork --kill-child "$0" "$debs" "$sysroot" "$tree"
fi
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
fail() {
  echo "arm64_test: FAILED: $*" >&2
  tail -n 20 "$w"/*.log >&2
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
for deb in "$debs"/farboot-*_arm64.deb; do dpkg-deb -x "$deb" "$w/root"; done
for program in sbin/farboot-agent sbin/farboot-controller bin/farboot; do
  file -b "$w/root/usr/$program" | grep -q 'ARM aarch64' || fail "$program is not for arm64"
done
run() { qemu-aarch64-static -L "$sysroot" "$w/root/usr/$1" "${@:2}"; }
fb() { run bin/farboot --context "$w/controller/operator" "$@"; }

ip link set lo up
ip link add lan address 02:00:0a:00:00:01 type bridge
ip addr add 10.9.0.2/24 brd + dev lan
ip link set lan up
run sbin/farboot-agent --check-config --config "$w/root/etc/farboot/agent.toml" || fail "the agent's settings"
run sbin/farboot-controller --check-config --config "$w/root/etc/farboot/controller.toml" || fail "the controller's settings"
printf 'state_dir = "%s"\nlisten = "0.0.0.0:7443"\nnames = ["10.9.0.2"]\n' "$w/controller" >"$w/controller.toml"
printf 'state_dir = "%s"\n' "$w/agent" >"$w/agent.toml"
run sbin/farboot-controller --config "$w/controller.toml" >"$w/controller.log" 2>&1 &
until_true "the controller serves" grep -q controller.serving "$w/controller.log"
fb image import "$tree" --name centos7 --tag 1708 || fail "import"
fb apply "$w/root/usr/share/doc/farboot-controller/examples/fleet" || fail "apply"
token=$(fb agent enroll --site lyon --name pi1 | sed -n 's/.*farboot-agent enroll \(fb1[^ ]*\).*/\1/p')
run sbin/farboot-agent --config "$w/agent.toml" enroll "$token" || fail "enrol"
run sbin/farboot-agent --config "$w/agent.toml" >"$w/agent.log" 2>&1 &
until_true "the agent serves" grep -q agent.serving "$w/agent.log"
fb rollout start r1 --site lyon || fail "rollout"
fb rollout watch || fail "rollout watch"
until_true "the agent serves the release" curl -fsS -o /dev/null http://10.9.0.2/images/centos7/.treeinfo
cmp <(curl -fsS http://10.9.0.2/images/centos7/LiveOS/squashfs.img) "$tree/LiveOS/squashfs.img" || fail "content"
echo "arm64_test: imported, enrolled, rolled out and served by the arm64 programs"
