# ./dev deps: the only place that installs anything. Debian 12 packages, nothing else.
# shellcheck shell=bash disable=SC2034

deps_build="g++ cmake ninja-build ccache mold pkg-config git ca-certificates
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev librocksdb-dev
  libssl-dev libboost1.81-dev libcurl4-openssl-dev libarchive-dev libudfread-dev libexpat1-dev libyaml-cpp-dev
  libtomlplusplus-dev libkainjow-mustache-dev libcli11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev
  prometheus-cpp-dev libzstd-dev libsystemd-dev openssl ipxe"
deps_test="genisoimage libgtest-dev libgmock-dev libbenchmark-dev clang clang-format clang-tidy libclang-rt-14-dev shellcheck
  python3 curl procps systemd iproute2"
deps_demo="qemu-system-x86 qemu-utils seabios ovmf ipxe ipxe-qemu dnsmasq-base iproute2 nftables iputils-ping
  python3 curl openssl tcpdump procps
  rpm createrepo-c squashfs-tools busybox-static kmod zstd cpio mtools dosfstools syslinux syslinux-common
  isolinux xorriso grub-common grub-efi-amd64-bin"
# Beside demo's: the real clients of clients_test.py, the other machines of firmware_test.py. What conflicts with other
# packages, or is only read, is in deps_read.
deps_e2e="tftp-hpa atftp aria2 wget dnf qemu-system-arm qemu-efi-aarch64 u-boot-qemu"
# Read by tests, installed on nobody's machine: unpacked into build/lab/packages, a .deb as it is.
deps_read="dracut-core dracut-network debian-installer-12-netboot-amd64 debian-installer-12-netboot-arm64 shim-signed
  grub-efi-amd64-signed trixie/shim-signed trixie/grub-efi-amd64-signed trixie/ipxe.deb memtest86+ ovmf-ia32
  grub-efi-ia32-bin"
deps_package="dpkg-dev lintian file systemd-container systemd mmdebstrap crossbuild-essential-arm64 qemu-user-static"
deps_bench="nginx-light tftpd-hpa" # and atftpd and perfdhcp, see below

# deps_missing PACKAGE...: those not installed
deps_missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "dev: this needs root, and there is no sudo: $*" >&2
    return 1
  fi
}

# What the mirrors have may be newer than what apt knows of them.
deps_refresh() { as_root apt-get -qq -o DPkg::Lock::Timeout=600 update; }

do_deps() {
  local groups=("$@") group names wanted=() missing
  [ ${#groups[@]} -gt 0 ] || groups=(build test demo e2e)
  for group in "${groups[@]}"; do
    names=deps_$group
    [ -n "${!names:-}" ] || { echo "dev deps: no group '$group' (build test demo e2e package bench)" >&2; return 2; }
    # shellcheck disable=SC2206
    wanted+=(${!names})
  done
  mapfile -t missing < <(deps_missing "${wanted[@]}" | sort -u)
  if [ ${#missing[@]} -gt 0 ]; then
    echo "dev deps: installing ${#missing[@]} packages: ${missing[*]}"
    deps_install "${missing[@]}" || { echo "dev deps: apt-get failed; run ./dev deps again when the package mirror answers" >&2; return 1; }
  fi
  [[ " ${groups[*]} " != *" test "* ]] || deps_dhcp_servers
  # shellcheck disable=SC2086
  [[ " ${groups[*]} " != *" e2e "* ]] || tests/e2e/lab/packages.sh build/lab/packages $deps_read
}

# DHCP servers that read what `farboot-agent doctor --snippet` prints: unpacked, for an installed one would run.
deps_dhcp_servers() {
  [ ! -x build/peers/usr/sbin/kea-dhcp4 ] || return 0
  deps_unpack build/peers isc-dhcp-server kea-common liblog4cplus-2.0.5 libmariadb3 libpq5 libldap-2.5-0 libsasl2-2 kea-dhcp4-server ||
    echo "dev deps: Kea and ISC dhcpd did not come; two tests of agent/doctor skip" >&2
}

# atftpd cannot be installed beside tftpd-hpa, whose libraries it needs: unpacked where tftp_bench.sh looks for it.
deps_atftpd() {
  [ ! -x build/peers/usr/sbin/atftpd ] || return 0
  deps_unpack build/peers atftpd ||
    echo "dev deps: atftpd did not come, tftp_bench.sh goes without; ./dev bench tftp tries again" >&2
}

# perfdhcp, with the libraries of Kea that its server has too.
deps_perfdhcp() {
  [ ! -x build/peers/usr/sbin/perfdhcp ] || return 0
  deps_dhcp_servers
  deps_unpack build/peers kea-admin || echo "dev deps: perfdhcp did not come; ./dev bench dhcp tries again" >&2
}

# deps_unpack FOLDER PACKAGE...
deps_unpack() {
  local folder=$1 package
  shift
  mkdir -p "$folder"
  deps_refresh || return 1
  for package in "$@"; do
    (cd "$folder" && rm -f "$package"_*.deb && apt-get -qq -o APT::Sandbox::User=root download "$package" &&
      dpkg-deb -x "$package"_*.deb . && rm "$package"_*.deb) || return 1
  done
}

# deps_install PACKAGE...: in a subshell, so that its trap is its own
deps_install() (
  # No service may start by being installed (nginx would take port 80): policy-rc.d says no meanwhile, and never longer.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ] || grep -qsx '# ./dev deps' $policy; then
    trap 'as_root rm -f $policy' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\n# ./dev deps\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
  fi
  deps_refresh || exit 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 "$@" >/dev/null
)
