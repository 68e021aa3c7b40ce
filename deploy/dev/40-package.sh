# ./dev sysroot, ./dev package: Debian packages for amd64 and arm64
# shellcheck shell=bash

# What the arm64 build links and its unit tests need. (protobuf-compiler-grpc: gRPC's CMake files insist it exists.)
sysroot_packages="libc6-dev libstdc++-12-dev libgcc-12-dev linux-libc-dev
  libgrpc++-dev libgrpc-dev libprotobuf-dev libprotoc-dev librocksdb-dev
  libssl-dev libboost1.81-dev libcurl4-openssl-dev libarchive-dev libudfread-dev libexpat1-dev libyaml-cpp-dev
  libtomlplusplus-dev libkainjow-mustache-dev libcli11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev
  protobuf-compiler-grpc prometheus-cpp-dev libzstd-dev libsystemd-dev libgtest-dev libgmock-dev libbenchmark-dev"

# ./dev sysroot [ARCH]: an extracted Debian 12 of that architecture to link against; made once, kept
# in the user's cache, made anew when the list of packages changes.
do_sysroot() {
  local arch=${1:-arm64} dir stamp wanted
  dir=$(sysroot_dir "$arch")
  stamp=$dir/etc/farboot-sysroot
  # shellcheck disable=SC2086
  wanted=$(printf '%s\n' $sysroot_packages | sort | tr '\n' ' ')
  do_deps package # the cross compiler, too
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return 0; fi
  echo "dev sysroot: extracting Debian 12 $arch into $dir"
  rm -rf "$dir" "$dir.new"
  mkdir -p "$(dirname "$dir")"
  # shellcheck disable=SC2086
  mmdebstrap --quiet --variant=extract --architectures="$arch" --mode="$(mmdebstrap_mode)" \
    --include="$(printf '%s,' $sysroot_packages | sed 's/,$//')" bookworm "$dir.new"
  # Absolute links would point at this machine.
  find "$dir.new" -xdev -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$dir.new$(readlink "$link")")" "$link"
  done
  # Some CMake files (snappy, rocksdb) name libraries by absolute paths.
  find "$dir.new/usr/lib" -path '*/cmake/*.cmake' -exec sed -i -E \
    "s#([\";])(/usr/lib/[a-z0-9_]+-linux-gnu/lib)#\1\${CMAKE_SYSROOT}\2#g" {} +
  printf '%s' "$wanted" >"$dir.new/etc/farboot-sysroot"
  mv "$dir.new" "$dir"
}

sysroot_dir() { echo "${FARBOOT_SYSROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/farboot-sysroots}/debian12-$1"; }

mmdebstrap_mode() { if [ "$(id -u)" = 0 ]; then echo root; else echo unshare; fi; }

# What an emulated arm64 runs: the rooms that need no namespaces, and the replay of the fuzz corpus.
arm64_tests="common_base_test common_config_test common_content_test common_store_test common_template_test common_wire_test
  agent_boot_test agent_dhcp_test agent_tftp_test
  fuzz_desired_state fuzz_dhcp fuzz_http_range fuzz_ip_datagram fuzz_manifest fuzz_pack_scan fuzz_release fuzz_signed
  fuzz_template fuzz_tftp"

# Of these, what qemu-user cannot carry: a program that starts itself again (execve of an arm64 file), mincore() of a
# mapping that is not readable, by which packs free their space, and a socket's error queue (IP_RECVERR).
arm64_not_emulated="PackCrash\.(KilledAtSeededMoments|ThePowerGoes)|\.SweepFreesWhatIsNotKept<farboot::test::PackHarness>"
arm64_not_emulated+="|PackStore\.(GivesTheBytesOfSweptChunksBack|WritesAByteForAByte)|PackSendfile\.AStalledClientGetsItsBytesThoughTheChunkIsSwept"
arm64_not_emulated+="|TftpServer\.HearsThatAClientIsGone"

# ./dev package [--arch amd64|arm64] [--test]: Debian packages into out/. --test: amd64: lintian, then installed and
# walked in a Debian 12 of its own, in a container and, where KVM works, in a virtual machine (root); arm64: unit tests and
# the packaged programs under qemu-user.
do_package() {
  local arch=amd64 test='' preset=release
  while [ $# -gt 0 ]; do
    case $1 in
      --arch) arch=$2; shift ;;
      --test) test=1 ;;
      *) echo "dev package: no option '$1'" >&2; return 2 ;;
    esac
    shift
  done
  case $arch in
    amd64) ;;
    arm64) preset=arm64 ;;
    *) echo "dev package: no architecture '$arch' (amd64 arm64)" >&2; return 2 ;;
  esac
  do_deps build package
  [ "$arch" != arm64 ] || do_sysroot arm64
  build_tree "$preset" farboot-controller farboot-agent farboot
  mkdir -p out
  rm -f out/farboot-*_"$arch".deb
  (cd "build/$preset" && cpack -G DEB >cpack.log 2>&1) || { cat "build/$preset/cpack.log" >&2; return 1; }
  ls -l out/farboot-*_"$arch".deb
  [ -n "$test" ] || return 0
  tests/package/depends_test.sh "build/$preset/bin" "$arch"
  tests/package/debs_test.sh out "$arch"
  if [ "$arch" = arm64 ]; then
    # shellcheck disable=SC2086
    build_tree arm64 $arm64_tests
    do_deps demo
    tests/e2e/lab/trees.sh build/lab
    tests/package/arm64_test.sh out "$(sysroot_dir arm64)" build/lab/tree
    ctest --test-dir build/arm64 -j "$(nproc)" --output-on-failure --no-tests=error -R "$(arm64_pattern)" -E "$arm64_not_emulated"
  else
    do_deps demo
    tests/e2e/lab/trees.sh build/lab
    tests/package/nspawn_test.sh out build/lab/tree
    # A whole Debian that boots and is walked takes over an hour without hardware virtualisation.
    if boots_a_kernel kvm; then
      FARBOOT_LAB_ACCEL=kvm tests/package/machine_test.sh out build/lab/tree
    else
      echo "dev package: no KVM that works: not walked in a virtual machine (tests/package/machine_test.sh does it without)"
    fi
  fi
}

# boots_a_kernel ACCELERATOR: a /dev/kvm that opens may still run nothing, as inside another virtual machine.
boots_a_kernel() {
  timeout 20 qemu-system-x86_64 -accel "$1" -nodefaults -display none -no-reboot -m 256 -kernel build/lab/kernel/boot/vmlinuz-* \
    -append 'console=ttyS0 panic=-1' -serial stdio </dev/null 2>/dev/null | grep -q 'Linux version'
}

# The names ctest knows those tests by: common/base/…, fuzz/…
arm64_pattern() {
  local name all=''
  for name in $arm64_tests; do
    name=${name%_test}
    all+="|${name/_//}"
  done
  echo "^(${all#|})(/|\$)"
}
