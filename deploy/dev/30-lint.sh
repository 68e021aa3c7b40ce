# ./dev lint, fmt, hooks
# shellcheck shell=bash

# files_tracked PATTERN...: what git knows or would add, never what it ignores
files_tracked() { git ls-files -z -co --exclude-standard -- "$@"; }

# every shell script: *.sh, and what starts with a shell's shebang line
files_shell() {
  files_tracked '*.sh'
  local file first
  while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    IFS= read -r first 2>/dev/null <"$file" || continue
    case $first in '#!'*sh) printf '%s\0' "$file" ;; esac
  done < <(files_tracked dev .ci 'deploy/**' 'tests/**' ':!*.sh' ':!*.py' ':!*.cc' ':!*.h')
}

# lint_step NAME COMMAND...: runs it, remembers that it failed. Never the end of a pipeline, whose subshell would forget.
lint_step() {
  local name=$1
  shift
  "$@" || { echo "dev lint: $name failed" >&2; lint_failed=1; }
}

lint_format() { files_tracked '*.cc' '*.h' | xargs -0 -r -n 40 -P "$(nproc)" clang-format --dry-run -Werror; }
lint_shell() { files_shell | xargs -0 -r shellcheck -x; }

# Everything but clang-tidy; seconds.
do_lint_quick() {
  lint_failed=
  lint_step clang-format lint_format
  lint_step shellcheck lint_shell
  lint_step "the house's rules" deploy/lint/lint.py
  [ -z "$lint_failed" ]
}

# What clang-tidy says of a file that is as it should be ("N warnings generated") is nobody's concern.
lint_tidy() {
  # shellcheck disable=SC2016
  files_tracked 'common/**.cc' 'agent/**.cc' 'controller/**.cc' | xargs -0 -r -n 1 -P "$(nproc)" sh -c \
    'said=$(clang-tidy --quiet -p build/tidy --extra-arg=-Wno-error "$1" 2>&1) || { printf "%s\n" "$said"; exit 1; }' tidy
}

# ./dev lint [--quick]
do_lint() {
  do_deps build test
  do_lint_quick
  [ "${1:-}" != --quick ] || return 0
  # Each file by itself, which also finds the header that another file of its room would lend it.
  cmake --preset dev -B build/tidy -DCMAKE_UNITY_BUILD=OFF >/dev/null
  cmake --build build/tidy --target farboot_proto_sources >/dev/null
  lint_step clang-tidy lint_tidy
  [ -z "$lint_failed" ]
}

do_fmt() { files_tracked '*.cc' '*.h' | xargs -0 -r clang-format -i; }

do_hooks() {
  git config core.hooksPath deploy/hooks
  echo "git hooks: deploy/hooks (quick lint before a commit, subject length after)"
}
