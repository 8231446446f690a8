#!/usr/bin/env bash
# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
#
# Builds the sandbox, unless a binary of the same sources is there already, and
# prints the binary's path.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
. ./flags.sh

cache=${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-harvester
version=k8s.io/component-base/version
# kube-apiserver tells its version from these.
ldflags="-s -w -X $version.gitVersion=v1.33.7 -X $version.gitMajor=1 -X $version.gitMinor=33"

digest() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-16
}

# Names and contents of everything that ends up in the binary.
sources() {
  go version
  find . -type f \( -name '*.go' ! -name '*_test.go' -o -name '*.gz' -o -name '*.yaml' \
    -o -name go.mod -o -name go.sum -o -name build.sh -o -name flags.sh \) | LC_ALL=C sort |
    while read -r file; do
      printf '%s\n' "$file"
      cat "$file"
    done
}

# Only the two binaries used last stay.
prune() {
  find "$cache" -maxdepth 1 -type f -name 'sandbox-*' ! -name '*.tmp.*' -exec ls -t {} + | tail -n +3 |
    while read -r old; do rm -f "$old"; done
}

# progress counts the packages that go build -v names, on a terminal in place and else every 500, and passes on what else it says.
progress() {
  local line count=0 terminal='' total=$1
  [ ! -t 2 ] || terminal=yes
  while IFS= read -r line; do
    case $line in
      *[!a-zA-Z0-9./_~-]*) echo "$line" ;;
      *)
        count=$((count + 1))
        if [ -n "$terminal" ]; then
          printf '\r%d of at most %d packages' "$count" "$total"
        elif [ $((count % 500)) -eq 0 ]; then
          echo "$count of at most $total packages"
        fi
        ;;
    esac
  done
  [ -z "$terminal" ] || [ "$count" -eq 0 ] || echo
} >&2

build() {
  if [ -x "$binary" ]; then
    return
  fi
  echo "Building the sandbox. The first time this takes 6 to 10 minutes, later less than one." >&2
  trap 'rm -f "$binary.tmp.$$"' EXIT
  go build -v -ldflags "$ldflags" -o "$binary.tmp.$$" . 2>&1 | progress "$(go list -deps . | wc -l)"
  mv "$binary.tmp.$$" "$binary"
}

mkdir -p "$cache"
binary=$cache/sandbox-$(sources | digest)
if command -v flock >/dev/null; then
  exec 9>"$cache/build.lock"
  flock 9
fi
build
touch "$binary"
prune
echo "$binary"
