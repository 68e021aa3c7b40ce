#!/usr/bin/env bash
# debs_test.sh DEBS ARCH: what is in the packages, whose and with which rights; what lintian says of them.
set -euo pipefail
debs=$(cd "$1" && pwd)
arch=$2
status=0

# holds PART FILES: the files in the package, with their rights, one a line.
holds() {
  local deb=("$debs/farboot-$1"_*_"$arch.deb")
  if [ ! -f "${deb[0]}" ] || [ ${#deb[@]} != 1 ]; then
    echo "debs_test: not one farboot-$1 for $arch in $debs" >&2
    exit 1
  fi
  [ "$(dpkg-deb -f "${deb[0]}" Architecture)" = "$arch" ] || { echo "debs_test: Architecture of ${deb[0]}" >&2; status=1; }
  if ! diff <(echo "$2") <(dpkg-deb -c "${deb[0]}" | awk '$1 !~ /^d/ { sub(/^\.\//, "/", $6); print $1, $2, $6 }' | sort -k3); then
    echo "debs_test: farboot-$1 for $arch holds other files" >&2
    status=1
  fi
}

holds agent "-rw-r--r-- root/root /etc/farboot/agent.toml
-rw-r--r-- root/root /usr/lib/sysctl.d/10-farboot-agent.conf
-rw-r--r-- root/root /usr/lib/systemd/system/farboot-agent.service
-rw-r--r-- root/root /usr/lib/sysusers.d/farboot-agent.conf
-rwxr-xr-x root/root /usr/sbin/farboot-agent
-rw-r--r-- root/root /usr/share/doc/farboot-agent/changelog.gz
-rw-r--r-- root/root /usr/share/doc/farboot-agent/copyright"
examples=/usr/share/doc/farboot-controller/examples/fleet
holds controller "-rw-r--r-- root/root /etc/farboot/controller.toml
-rwxr-xr-x root/root /usr/bin/farboot
-rw-r--r-- root/root /usr/lib/systemd/system/farboot-controller.service
-rw-r--r-- root/root /usr/lib/sysusers.d/farboot-controller.conf
-rwxr-xr-x root/root /usr/sbin/farboot-controller
-rw-r--r-- root/root /usr/share/doc/farboot-controller/changelog.gz
-rw-r--r-- root/root /usr/share/doc/farboot-controller/copyright
-rw-r--r-- root/root $examples/fleet.yaml
-rw-r--r-- root/root $examples/kickstarts/base.ks
-rw-r--r-- root/root $examples/sites/lyon.yaml"

# Nobody reads mail at the maintainers' host yet.
lintian --fail-on error --tag-display-limit 0 --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
  "$debs"/farboot-*_"$arch.deb" || status=1
exit $status
