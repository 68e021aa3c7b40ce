#!/usr/bin/env bash
# units_test.sh: the systemd units are sound, and their exposure (systemd-analyze security) is at most 2.0 of 10.
set -euo pipefail
units=$(cd "$(dirname "$0")/../../deploy/systemd" && pwd)
command -v systemd-analyze >/dev/null || { echo "units_test: no systemd-analyze" >&2; exit 77; }
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
for unit in farboot-agent farboot-controller; do
  if ! systemd-analyze security --offline=true --threshold=20 --no-pager "$units/$unit.service" >"$report" 2>&1; then
    grep -E '✗|Overall' "$report" >&2
    status=1
  else
    grep Overall "$report"
  fi
done
# What the programs are called and where they are is checked by the package test; the rest of the grammar here.
if systemd-analyze verify --man=no "$units"/*.service 2>&1 | grep -v 'is not executable' | grep -E 'farboot-'; then status=1; fi
exit $status
