# ./dev fuzz, bench
# shellcheck shell=bash

# ./dev fuzz [TARGET] [SECONDS]: libFuzzer on one target or on each (as many at once as there are processors), starting
# from tests/fuzz/corpus (./dev test replays the golden files as well). What it finds new lies in build/fuzz/corpus; a crash
# lies in build/fuzz/crash-TARGET-*.
do_fuzz() {
  local target=${1:-all} seconds=${2:-60} targets=() name
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
  fuzz_each "$seconds" "${targets[@]}"
}

# fuzz_each SECONDS TARGET...: who interrupts it ends what it started.
fuzz_each() {
  local seconds=$1 name status=0 running=0
  fuzz_pids=()
  shift
  # Not in a subshell: a TERM comes to the one shell that ./dev is.
  trap 'trap "" INT TERM; [ ${#fuzz_pids[@]} = 0 ] || kill "${fuzz_pids[@]}" 2>/dev/null || true; wait; exit 130' INT TERM
  for name in "$@"; do
    if [ "$running" -ge "$(nproc)" ]; then
      wait -n || status=1
      running=$((running - 1))
    fi
    fuzz_one "$name" "$seconds" &
    fuzz_pids+=($!)
    running=$((running + 1))
  done
  for (( ; running > 0; running--)); do wait -n || status=1; done
  trap - INT TERM
  return $status
}

# fuzz_one NAME SECONDS: its figures when it is done; status 1 and its log's name if it found something. In a
# shell of its own; TERM ends both.
fuzz_one() {
  local name=$1 log=build/fuzz/$1.log status=0 fuzzer='' stopped=''
  trap 'stopped=1; [ -z "$fuzzer" ] || kill "$fuzzer" 2>/dev/null || true' TERM
  mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
  "build/fuzz/bin/fuzz_$name" -max_total_time="$2" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crash-$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 &
  fuzzer=$!
  [ -z "$stopped" ] || kill "$fuzzer" 2>/dev/null || true
  wait "$fuzzer" || status=$?
  [ $status != 72 ] || stopped=1 # libFuzzer's word for it: Ctrl-C may come to it first
  if [ -n "$stopped" ]; then
    wait "$fuzzer" || true
    echo "fuzz $name: interrupted" >&2
    rmdir --ignore-fail-on-non-empty "tests/fuzz/corpus/$name"
    return 130
  fi
  echo "fuzz $name: $2 s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
    "$(sed -n 's/^stat::new_units_added: *//p' "$log") new inputs$(sed -n 's/^SUMMARY/, &/p' "$log")"
  [ $status = 0 ] || echo "fuzz $name FAILED, see $log" >&2
  rmdir --ignore-fail-on-non-empty "tests/fuzz/corpus/$name"
  [ $status = 0 ]
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
