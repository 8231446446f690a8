#!/usr/bin/env bash
# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
#
# Builds the release of $VERSION for this machine with $GORELEASER, puts the provider's archive where terraform init
# looks, as the registry would, and plans the first part of the demo with it on a sandbox.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

address=registry.terraform.io/harvester-community/harvester
platform=$(go env GOOS)_$(go env GOARCH)

export GORELEASER_CURRENT_TAG=v$VERSION
archive=dist/terraform-provider-harvester_${VERSION}_$platform.zip
work=$(mktemp -d "${TMPDIR:-/tmp}/harvester-release.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$GORELEASER" check
# All platforms would take an hour.
sed -E "s/^( *goos:) .*/\1 [$(go env GOOS)]/; s/^( *goarch:) .*/\1 [$(go env GOARCH)]/" .goreleaser.yml >"$work/goreleaser.yml"
"$GORELEASER" release --config "$work/goreleaser.yml" --snapshot --clean --skip=sign
mirror=$work/mirror/$address/$VERSION/$platform
mkdir -p "$mirror" "$work/demo"
python3 -m zipfile -e "$archive" "$mirror"
chmod +x "$mirror/terraform-provider-harvester_v$VERSION"
(cd dist && grep -F "$(basename "$archive")" "terraform-provider-harvester_${VERSION}_SHA256SUMS" | sha256sum --check)
"$mirror/terraform-provider-harvester_v$VERSION" --version

cp examples/demo/1-image-and-vm/*.tf "$work/demo"
cat >"$work/cli.tfrc" <<TFRC
provider_installation {
  filesystem_mirror {
    path = "$work/mirror"
  }
}
TFRC
export TF_CLI_CONFIG_FILE=$work/cli.tfrc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0
go run ./examples/demo/makeimage -data 1 -seed 1 "$work/bookworm.qcow2"
terraform -chdir="$work/demo" init -no-color
internal/sandbox/with.sh terraform -chdir="$work/demo" plan -no-color -var "file=$work/bookworm.qcow2"
