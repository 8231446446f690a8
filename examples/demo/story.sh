#!/usr/bin/env bash
# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
#
# What the demo shows; run.sh prepares it. Each step tells what it does and shows
# Terraform's own output; a step that goes otherwise ends the demo.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

bold='' plain=''
if [ -t 1 ]; then
  bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
else
  export TF_CLI_ARGS=-no-color
fi
name=$(basename "$TERRAFORM")
step='preparation'
upload=

step() {
  step=$1
  printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
}

tell() { printf '\n%s-- %s%s\n' "$bold" "$1" "$plain"; }

fail() {
  echo >&2
  echo "demo: FAILED in step \"$step\": $1" >&2
  exit 1
}

# shellcheck disable=SC2317,SC2329 # called by the trap
finish() {
  local status=$?
  if [ -n "$upload" ]; then
    kill "$upload" 2>/dev/null || true
    wait "$upload" 2>/dev/null || true
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# tf FOLDER COMMAND… runs Terraform in a folder of this demo.
tf() { "$TERRAFORM" -chdir="$WORK/$1" "${@:2}"; }

# quietly FOLDER COMMAND… runs a command that is no part of the story, and shows it only if it fails.
quietly() { tf "$@" >"$WORK/quiet.log" 2>&1 || { cat "$WORK/quiet.log"; fail "$name $2 failed"; }; }

# passes FOLDER COMMAND… shows a command that has to succeed.
passes() {
  tell "$1: $name ${*:2}"
  tf "$@" || fail "$name $2 failed"
}

# destroyed FOLDER shows the end of a destroy, without the list of what goes.
destroyed() {
  tell "$1: $name destroy"
  tf "$1" destroy -auto-approve 2>&1 | tee "$WORK/destroy.log" | grep -E 'Destr' || { cat "$WORK/destroy.log"; fail "$name destroy failed"; }
}

# refused FOLDER WORDS COMMAND… shows a command that has to fail with these words.
refused() {
  local folder=$1 words=$2 status=0
  shift 2
  tell "$folder: $name $*"
  tf "$folder" "$@" 2>&1 | tee "$WORK/refused.log" || status=$?
  [ "$status" -ne 0 ] || fail "$name $1 passed, and it should not"
  unwrapped <"$WORK/refused.log" | grep -F "$words" >/dev/null || fail "the message does not say \"$words\""
}

# unwrapped undoes what Terraform does to its messages: line breaks, and a border beside them.
unwrapped() { sed $'s/\x1b\\[[0-9;]*m//g; s/[│╷╵]//g' | tr -s ' \n' ' '; }

# await_upload waits until the plan finds the upload where it is held.
await_upload() {
  local try
  for try in $(seq 60); do
    kill -0 "$upload" 2>/dev/null || { cat "$WORK/upload.log"; fail 'the upload ended'; }
    tf 3-vm plan >"$WORK/refused.log" 2>&1 || true
    if unwrapped <"$WORK/refused.log" | grep -F 'Uploading, 40 %' >/dev/null; then
      return
    fi
    sleep 1
  done
  fail "the upload did not reach 40 % in $try tries"
}

# Terraform works on copies, so that nothing is left in the repository.
for folder in [1-9]-*; do
  cp -R "$folder" "$WORK/$folder"
  quietly "$folder" init
done

step '1. Upload an image, and start a virtual machine from it, in one apply'
export TF_VAR_file=$WORK/bookworm.qcow2
passes 1-image-and-vm plan -out=plan
passes 1-image-and-vm apply plan
tf 1-image-and-vm output -raw virtual_machine | grep '^Ready at [0-9]' >/dev/null || fail 'the virtual machine is not running'

step '2. Somebody uploads another image, and it is at 40 %. A virtual machine that names it has to wait'
export TF_VAR_file=$WORK/trixie.qcow2
"$HARVESTER_SANDBOX" faults set default/trixie --hold-progress 40 --dir "$HARVESTER_SANDBOX_DIR" >/dev/null
quietly 2-upload plan -out=plan
"$TERRAFORM" -chdir="$WORK/2-upload" apply plan >"$WORK/upload.log" 2>&1 &
upload=$!
await_upload
refused 3-vm 'is not complete yet: Uploading, 40 %' plan

tell "The upload goes on and ends. 2-upload: $name apply plan"
"$HARVESTER_SANDBOX" faults clear default/trixie --dir "$HARVESTER_SANDBOX_DIR" >/dev/null
wait "$upload" || { cat "$WORK/upload.log"; fail 'the upload failed'; }
upload=
cat "$WORK/upload.log"

tell 'The same plan passes now.'
passes 3-vm plan -out=plan
passes 3-vm apply plan
tf 3-vm output -raw virtual_machine | grep '^Ready at [0-9]' >/dev/null || fail 'the virtual machine is not running'

step '3. Upload an image, encrypt it, decrypt that again, download the result, and compare it with the original'
"$WORK/makesecret" image-key
export TF_VAR_file=$WORK/plain.img TF_VAR_copy=$WORK/copy.img
quietly 4-encrypt-and-download plan -out=plan
passes 4-encrypt-and-download apply plan
cmp "$WORK/plain.img" "$WORK/copy.img" || fail 'the copy differs from the original'
tell "The bytes are the same: cmp finds no difference, and both have this SHA-512."
sha512sum "$WORK/plain.img" "$WORK/copy.img" | sed "s|$WORK/||"

step '4. An import that fails: the cluster has no space for it. The server says so'
"$HARVESTER_SANDBOX" faults set default/broken --fail-import 'no space left on device' --dir "$HARVESTER_SANDBOX_DIR" >/dev/null
export TF_VAR_file=$WORK/trixie.qcow2
quietly 5-failing-import plan -out=plan
refused 5-failing-import 'no space left on device' apply plan

step '5. Remove everything'
for folder in 5-failing-import 4-encrypt-and-download 3-vm 2-upload 1-image-and-vm; do
  destroyed "$folder"
done
