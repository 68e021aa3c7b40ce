# ./dev e2e, demo
# shellcheck shell=bash

# A PXE ROM that is no iPXE: Debian has none ready, its source is not on every mirror.
plain_rom() {
  local missing
  [ ! -f build/lab/ipxe/rom/plain.rom ] || return 0
  mapfile -t missing < <(deps_missing gcc make perl liblzma-dev dpkg-dev)
  if { [ ${#missing[@]} = 0 ] || deps_install "${missing[@]}"; } && deploy/ipxe/build --only rom --out build/lab/ipxe; then
    return 0
  fi
  echo "dev e2e: plain_rom is left out: \`deploy/ipxe/build --only rom --out build/lab/ipxe --source TREE\` makes its ROM from a source tree of iPXE" >&2
  return 1
}

# ./dev e2e [--all] [NAME...]: the end-to-end tests of the dev preset; NAME as ctest knows them (install_bios, walk, …).
# --all: with 200 kills in a transfer, not 12, and with the firmware that `./dev test` leaves out. A name always finds its test.
do_e2e() {
  local all='' names=() pattern='^e2e/'
  while [ $# -gt 0 ]; do
    case $1 in
      --all) all=1 ;;
      -*) echo "dev e2e: no option '$1'" >&2; return 2 ;;
      *) names+=("$1") ;;
    esac
    shift
  done
  do_deps
  build_tree dev
  export FARBOOT_E2E_REQUIRED=${FARBOOT_E2E_REQUIRED:-1}
  local also=${all:+e2e-all}
  if [[ " ${names[*]} " == *" plain_rom "* ]]; then
    plain_rom || return 1
  elif [ -n "$all" ]; then
    plain_rom || true
  fi
  if [ ${#names[@]} -gt 0 ]; then pattern="^e2e/($(IFS='|'; echo "${names[*]}"))$" also=e2e-all; fi
  FARBOOT_E2E_KILLS=${FARBOOT_E2E_KILLS:-${all:+200}} \
    ctest --test-dir build/dev ${also:+-C $also} -j "$(nproc)" --output-on-failure --no-tests=error -R "$pattern"
}

# ./dev demo [--iso FILE] [--keep] [--offline]: the main job end to end with the optimised programs.
do_demo() {
  local iso='' words=()
  while [ $# -gt 0 ]; do
    case $1 in
      --iso)
        iso=$(cd "$FARBOOT_CALLER" && readlink -e -- "${2:-}") || iso=''
        [ -f "$iso" ] || { echo "dev demo: --iso ${2:-}: no such file" >&2; return 2; }
        words+=(--iso "$iso")
        shift
        ;;
      --keep | --offline) words+=("$1") ;;
      -h | --help) usage; return ;;
      *) echo "dev demo: no option '$1' (--iso FILE, --keep, --offline)" >&2; return 2 ;;
    esac
    shift
  done
  do_deps build demo
  build_tree release farboot-controller farboot-agent farboot
  # Its kernel comes from the package mirror, which nobody can reach from inside the virtual site.
  [ -n "$iso" ] || tests/e2e/lab/trees.sh build/lab
  tests/e2e/demo.py --bin build/release/bin --lab build/lab "${words[@]}"
}
