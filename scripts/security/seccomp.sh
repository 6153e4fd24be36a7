#!/usr/bin/env bash
# Profiles of system calls, one a service, in /etc/containers/seccomp.
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"

FOLDER=/etc/containers/seccomp

step_install() {
  local profile wanted=()
  for profile in "$CHECKOUT"/security/seccomp/*.json; do
    put_file "$profile" "$(place "$profile")"
    wanted+=("$(place "$profile")")
  done
  keep_only "${wanted[@]}"
}

step_status() {
  local profile number=0 there=0 differ=()
  for profile in "$CHECKOUT"/security/seccomp/*.json; do
    number=$((number + 1))
    if [[ -e "$(place "$profile")" ]]; then there=$((there + 1)); fi
    if unlike "$profile" "$(place "$profile")"; then differ+=("$(basename "$(place "$profile")")"); fi
  done
  if ((there == 0)); then
    layer off "the pod's units have their own profiles; none in $FOLDER"
  elif ((${#differ[@]})); then
    layer old "$FOLDER: not as in this checkout: ${differ[*]}"
  else
    layer on "$number profiles in $FOLDER"
  fi
}

place() { echo "$FOLDER/ai-semble-$(basename "$1")"; }

run_step "$@"
