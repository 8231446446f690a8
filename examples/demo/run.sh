#!/usr/bin/env bash
# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
#
# The demo: builds the provider and the sandbox, then runs story.sh against a
# sandbox of its own. It touches nothing outside a temporary folder and the build caches.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

need() {
  echo "The demo needs $1, and there is none in your PATH. See $2." >&2
  exit 1
}
command -v go >/dev/null || need Go https://go.dev/doc/install
if ! TERRAFORM=$(command -v terraform || command -v tofu); then
  need 'Terraform or OpenTofu' 'https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install/'
fi

# Terraform shall see this demo's settings and nobody else's.
for variable in ${!TF_*}; do unset "$variable"; done
unset HARVESTER_SANDBOX_DIR
export TERRAFORM CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0

WORK=$(mktemp -d "${TMPDIR:-/tmp}/harvester-demo.XXXXXX")
export WORK
trap 'rm -rf "$WORK"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# install puts the provider where terraform init looks, for Terraform and for OpenTofu.
install() {
  local host platform
  platform=$(go env GOOS)_$(go env GOARCH)
  for host in registry.terraform.io registry.opentofu.org; do
    mkdir -p "$WORK/mirror/$host/harvester-community/harvester/0.0.1/$platform"
    ln -s "$WORK/terraform-provider-harvester" "$WORK/mirror/$host/harvester-community/harvester/0.0.1/$platform/terraform-provider-harvester_v0.0.1"
  done
  cat >"$WORK/cli.tfrc" <<TFRC
provider_installation {
  filesystem_mirror {
    path = "$WORK/mirror"
  }
}
TFRC
  export TF_CLI_CONFIG_FILE=$WORK/cli.tfrc
}

echo "Using $("$TERRAFORM" version | sed -n 1p) and $(go version | cut -d ' ' -f 3)."
echo 'Building the provider (one to four minutes the first time, then seconds).'
go build -ldflags '-s -w' -o "$WORK/terraform-provider-harvester" .
install
echo 'Making two qcow2 images and a raw one.'
go build -o "$WORK/makeimage" ./examples/demo/makeimage
"$WORK/makeimage" -data 320 -seed 1 "$WORK/bookworm.qcow2"
"$WORK/makeimage" -data 160 -seed 2 "$WORK/trixie.qcow2"
go build -o "$WORK/makesecret" ./examples/demo/makesecret
head -c 64M /dev/urandom >"$WORK/plain.img"
echo 'Starting a sandbox: the real Harvester server on simulated hardware.'
internal/sandbox/with.sh examples/demo/story.sh
echo
echo "Everything is cleaned up. It took $SECONDS seconds."
echo 'demo: passed'
