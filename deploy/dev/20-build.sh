# ./dev build, unit, test
# shellcheck shell=bash

# build_tree PRESET [TARGET...]
build_tree() {
  local preset=$1
  shift
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"build-$preset.log" 2>&1 ||
    { cat "build-$preset.log"; rm -f "build-$preset.log"; return 1; }
  rm -f "build-$preset.log"
  cmake --build "build/$preset" ${1:+--target "$@"}
}

do_build() {
  do_deps build test
  [ "${1:-}" != arm64 ] || do_sysroot arm64
  build_tree "${1:-dev}"
}

do_unit() {
  do_deps build test
  build_tree dev
  ctest --test-dir build/dev -j "$(nproc)" --no-tests=error -L 'unit|fuzz' "$@"
}

do_test() {
  do_deps
  if declare -F do_lint_quick >/dev/null; then do_lint_quick; fi
  build_tree dev
  # Virtual sites that cannot be made here are a failure, not a test left out: without them nothing of the main job was
  # tested. FARBOOT_E2E_REQUIRED=0 leaves them out.
  FARBOOT_E2E_REQUIRED=${FARBOOT_E2E_REQUIRED:-1} ctest --test-dir build/dev -j "$(nproc)" --output-on-failure --no-tests=error
}
