#!/usr/bin/env bash
# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
#
# Prints the path of tofu: the one in PATH, or one that it builds from OpenTofu's Go module, once.
# OPENTOFU_VERSION chooses a version to build.
set -euo pipefail

version=${OPENTOFU_VERSION:-}
if [ -z "$version" ] && command -v tofu; then
  exit
fi
version=${version:-v1.12.6}
tofu=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/tools/tofu-$version
if [ ! -x "$tofu" ]; then
  echo "Building OpenTofu $version (once, about five minutes on two cores)." >&2
  module=$(mktemp -d "${TMPDIR:-/tmp}/opentofu.XXXXXX")
  trap 'chmod -R u+w "$module"; rm -rf "$module"' EXIT
  cd "$module"
  go mod init opentofu >&2
  # OpenTofu replaces its HCL library with a fork, which only the main module can do.
  source=$(go mod download -json "github.com/opentofu/opentofu@$version" | sed -n 's/^.*"GoMod": "\(.*\)".*$/\1/p')
  awk '/^replace \(/, /^\)/ { print; next } /^replace .*=>/' "$source" >>go.mod
  go get "github.com/opentofu/opentofu/cmd/tofu@$version" >&2
  mkdir -p "$(dirname "$tofu")"
  go build -trimpath -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" -o "$tofu.tmp.$$" github.com/opentofu/opentofu/cmd/tofu
  mv "$tofu.tmp.$$" "$tofu"
fi
echo "$tofu"
