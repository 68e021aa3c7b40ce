#!/usr/bin/env bash
# units_test.sh: the systemd units are sound, their exposure (systemd-analyze security) is at most 2.0 of 10, and they
# allow what the programs cannot do without.
set -euo pipefail
units=$(cd "$(dirname "$0")/../../deploy/systemd" && pwd)
command -v systemd-analyze >/dev/null || { echo "units_test: no systemd-analyze" >&2; exit 77; }
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
complain() { echo "units_test: $*" >&2; status=1; }

for unit in farboot-agent farboot-controller; do
  if ! systemd-analyze security --offline=true --threshold=20 --no-pager "$units/$unit.service" >"$report" 2>&1; then
    grep -E '✗|Overall' "$report" >&2
    status=1
  else
    grep Overall "$report"
  fi
done
# What the programs are called and where they are is checked by the package test; the rest of the grammar here.
found=$(systemd-analyze verify --man=no "$units"/*.service 2>&1 | grep -v 'is not executable' | grep -E 'farboot-' || true)
[ -z "$found" ] || complain "$found"

# members GROUP: the system calls of a group, those of the groups within it too.
members() {
  local word
  while read -r word; do
    case $word in
      "$1" | '#'* | '') ;;
      @*) members "$word" ;;
      *) echo "$word" ;;
    esac
  done < <(systemd-analyze --no-pager syscall-filter "$1" 2>/dev/null | sed 's/^ *//')
}

# calls UNIT: what its SystemCallFilter lines leave allowed, read in order as systemd.exec(5) says.
calls() {
  local line word allowed=''
  while read -r line; do
    for word in ${line#\~}; do
      local named=$word
      [[ $word == @* ]] && named=$(members "$word")
      if [[ $line == \~* ]]; then
        allowed=$(grep -vxFf <(echo "$named") <<<"$allowed" || true)
      else
        allowed+=$'\n'$named
      fi
    done
  done < <(sed -n 's/^SystemCallFilter=//p' "$units/$1.service")
  echo "$allowed"
}

# needs UNIT CALL...
needs() {
  local unit=$1 allowed call
  allowed=$(calls "$unit")
  for call in "${@:2}"; do
    grep -qx "$call" <<<"$allowed" || complain "$unit: system call $call is not allowed"
  done
}

# says UNIT KEY WORD: the setting has the word.
says() {
  sed -n "s/^$2=//p" "$units/$1.service" | tr ' ' '\n' | grep -qx -- "$3" || complain "$1: $2 has no $3"
}

# Both stores ask mincore(2) before they punch a hole; the agent's workers go behind what serves.
needs farboot-agent mincore setpriority sendfile
needs farboot-controller mincore
# Beside a DHCP server that keeps port 67 to itself the agent listens below it.
says farboot-agent RestrictAddressFamilies AF_PACKET
says farboot-agent CapabilityBoundingSet CAP_NET_RAW
says farboot-agent AmbientCapabilities CAP_NET_RAW
# A DHCP server on the same machine that does not share port 67 must come first.
for server in kea-dhcp4-server isc-dhcp-server dnsmasq systemd-networkd; do
  says farboot-agent After $server.service
done
# A site boots on without its uplink, which network-online.target may wait for.
if grep -E '^(Wants|Requires|After)=.*network-online' "$units/farboot-agent.service"; then
  complain "farboot-agent: waits for network-online.target"
fi
# What the sockets ask for (kReceiveRoomBytes) is what the system lets them have.
room=$(sed -n 's/^net.core.rmem_max *= *//p' "$units/farboot-agent.sysctl")
[ "${room:-0}" -ge 1048576 ] || complain "farboot-agent.sysctl: net.core.rmem_max is ${room:-not set}"
exit $status
