#!/usr/bin/env bash
# packages.sh FOLDER PACKAGE...: Debian packages that a test reads but nobody should have installed, each unpacked into
# FOLDER/PACKAGE. SUITE/PACKAGE is one of another suite than the machine's; if it does not come, its test skips.
# SUITE/PACKAGE.deb is not unpacked: the file itself. ./dev deps calls this. A second run does nothing; two at once wait for
# each other.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
# shellcheck source=deploy/dev/10-deps.sh
. "$(dirname "$0")/../../../deploy/dev/10-deps.sh"
exec 9>"$folder/lock"
flock 9
missing=() other=()
for package in "$@"; do
  [ -f "$folder/$package/unpacked" ] || [ -f "$folder/$package" ] || case $package in
    */*) other+=("$package") ;;
    *) missing+=("$package") ;;
  esac
done
[ $((${#missing[@]} + ${#other[@]})) -gt 0 ] || exit 0
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
chmod 777 "$w" # apt fetches as its own user
cd "$w"

unpack() { # DEB TARGET
  rm -rf "${folder:?}/$2"
  mkdir -p "$folder/$2"
  dpkg-deb -x "$1" "$folder/$2"
  dpkg-deb -f "$1" Version >"$folder/$2/unpacked"
  rm "$1"
}

if [ ${#missing[@]} -gt 0 ]; then
  echo "packages: fetching ${missing[*]}" >&2
  apt-get -qq download "${missing[@]}" || {
    deps_refresh || exit 1
    apt-get -qq download "${missing[@]}"
  }
  for package in "${missing[@]}"; do unpack "$package"_*.deb "$package"; done
fi

# suite_apt SUITE COMMAND...: apt-get that knows only this suite of the machine's own mirror, writes only below $w, and runs none of the
# machine's hooks
suite_apt() {
  local state=$w/$1 mirror
  if [ ! -d "$state" ]; then
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian|//p' | head -n 1)
    mkdir -p "$state"/{state/lists/partial,cache/archives/partial}
    : >"$state/status"
    printf '#clear APT::Update::%s;\n' Pre-Invoke Post-Invoke Post-Invoke-Success >"$state/no-hooks"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$state/sources.list"
  fi
  shift
  apt-get -qq -c "$state/no-hooks" -o Dir::State="$state/state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
    -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User="$(id -un)" "$@"
}

# A mirror without the suite is asked again after a day.
for package in "${other[@]}"; do
  suite=${package%%/*} name=${package#*/}
  [ -z "$(find "$folder" -maxdepth 1 -name "$suite.absent" -mmin -1440)" ] || continue
  echo "packages: fetching $name of $suite" >&2
  if { [ -d "$w/$suite" ] || suite_apt "$suite" update; } && suite_apt "$suite" download "${name%.deb}"; then
    case $name in
      *.deb) mkdir -p "$folder/$suite" && mv "${name%.deb}"_*.deb "$folder/$package" ;;
      *) unpack "$name"_*.deb "$package" ;;
    esac
  else
    echo "packages: $name of $suite did not come: tests that need it are left out" >&2
    touch "$folder/$suite.absent"
  fi
done
