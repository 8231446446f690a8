#!/usr/bin/env bash
# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
#
# with.sh COMMAND [ARGUMENT…] runs a command against a sandbox of its own, which it
# builds, starts in a temporary folder and stops in every case. The command finds
#
#   HARVESTER_SANDBOX_DIR   the sandbox's folder, with its kubeconfig
#   HARVESTER_SANDBOX       the program that runs it: "$HARVESTER_SANDBOX" faults list …
#   HARVESTER_KUBECONFIG    what points the provider at it
#
# HARVESTER_SANDBOX_LOG names a file that keeps the sandbox's log.
#
# Where HARVESTER_SANDBOX_DIR is set already, the sandbox of that folder is used
# and left running: faster while you work on something.
set -euo pipefail

if [ $# -eq 0 ]; then
  echo "usage: with.sh COMMAND [ARGUMENT…]" >&2
  exit 2
fi

HARVESTER_SANDBOX=$("$(dirname "${BASH_SOURCE[0]}")/build.sh")
export HARVESTER_SANDBOX

log=${HARVESTER_SANDBOX_LOG:-}

# The caller's own cluster must not come in by the environment.
for variable in ${!HARVESTER_*}; do
  case $variable in HARVESTER_SANDBOX*) ;; *) unset "$variable" ;; esac
done
unset KUBECONFIG

if [ -n "${HARVESTER_SANDBOX_DIR:-}" ]; then
  "$HARVESTER_SANDBOX" status --dir "$HARVESTER_SANDBOX_DIR" >/dev/null
  export HARVESTER_KUBECONFIG=$HARVESTER_SANDBOX_DIR/kubeconfig
  exec "$@"
fi

HARVESTER_SANDBOX_DIR=$(mktemp -d "${TMPDIR:-/tmp}/harvester-sandbox.XXXXXX")
export HARVESTER_SANDBOX_DIR HARVESTER_KUBECONFIG=$HARVESTER_SANDBOX_DIR/kubeconfig

# shellcheck disable=SC2317,SC2329 # called by the trap
finish() {
  local status=$?
  trap '' INT TERM HUP
  "$HARVESTER_SANDBOX" stop --dir "$HARVESTER_SANDBOX_DIR" >/dev/null || status=1
  if [ -n "$log" ]; then
    mkdir -p "$(dirname "$log")" && cp "$HARVESTER_SANDBOX_DIR/sandbox.log" "$log" || true
  fi
  rm -rf "$HARVESTER_SANDBOX_DIR"
  exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"$HARVESTER_SANDBOX" start --dir "$HARVESTER_SANDBOX_DIR" --pace "${HARVESTER_SANDBOX_PACE:-fast}" --detach >&2
"$@"
