# ./dev fuzz, bench
# shellcheck shell=bash

# ./dev fuzz [TARGET] [SECONDS]: libFuzzer on one target or on each (as many at once as there are processors), starting
# from tests/fuzz/corpus (./dev test replays the golden files as well). What it finds new lies in build/fuzz/corpus; a crash
# lies in build/fuzz/crash-TARGET-*.
do_fuzz() {
  local target=${1:-all} seconds=${2:-60} targets=() name status=0 running=0
  do_deps build test
  for name in tests/fuzz/fuzz_*.cc; do
    name=${name##*/fuzz_}
    targets+=("${name%.cc}")
  done
  if [ "$target" != all ]; then
    [ -f "tests/fuzz/fuzz_$target.cc" ] || { echo "dev fuzz: no target '$target' (${targets[*]})" >&2; return 2; }
    targets=("$target")
  fi
  build_tree fuzz "${targets[@]/#/fuzz_}"
  for name in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
      wait -n || status=1
      running=$((running - 1))
    fi
    fuzz_one "$name" "$seconds" &
    running=$((running + 1))
  done
  for (( ; running > 0; running--)); do wait -n || status=1; done
  return $status
}

# fuzz_one NAME SECONDS: its figures when it is done; status 1 and its log's name if it found something.
fuzz_one() {
  local name=$1 log=build/fuzz/$1.log status=0
  mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
  "build/fuzz/bin/fuzz_$name" -max_total_time="$2" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crash-$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 || status=1
  echo "fuzz $name: $2 s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
    "$(sed -n 's/^stat::new_units_added: *//p' "$log") new inputs$(sed -n 's/^SUMMARY/, &/p' "$log")"
  [ $status = 0 ] || echo "fuzz $name FAILED, see $log" >&2
  rmdir --ignore-fail-on-non-empty "tests/fuzz/corpus/$name"
  return $status
}

# ./dev bench [NAME...]: the scripts tests/bench/*_bench.sh with optimised programs.
do_bench() {
  local names=("$@") name status=0
  for name in "${names[@]}"; do
    [ -x "tests/bench/${name}_bench.sh" ] || { echo "dev bench: no bench '$name'" >&2; return 2; }
  done
  do_deps build test bench demo
  # shellcheck disable=SC2046
  build_tree release-tests farboot-controller farboot-agent farboot \
    $(sed -n 's/^farboot_bench(\([a-z_]*\).*/\1/p' tests/bench/CMakeLists.txt)
  if [ ${#names[@]} = 0 ]; then
    for name in tests/bench/*_bench.sh; do
      name=${name##*/}
      names+=("${name%_bench.sh}")
    done
  fi
  [[ " ${names[*]} " != *" tftp "* ]] || deps_atftpd
  [[ " ${names[*]} " != *" dhcp "* ]] || deps_perfdhcp
  for name in "${names[@]}"; do
    "tests/bench/${name}_bench.sh" build/release-tests/bin || status=1
  done
  return $status
}
