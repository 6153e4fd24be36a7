#!/usr/bin/env bash
# AppArmor confines each service to its own files, also inside a container without root.
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"

SOURCE="$CHECKOUT/security/apparmor"
TARGET=/etc/apparmor.d
LOADED=/sys/kernel/security/apparmor/profiles
# The same, a folder each, which everybody may see.
PROFILES=/sys/kernel/security/apparmor/policy/profiles

step_install() {
  local name wanted=()
  is_on || { note "this kernel has no AppArmor, or does not use it" && return; }
  command -v apparmor_parser >/dev/null || die "apparmor_parser is not installed" "sudo apt install apparmor"
  [[ -e "$TARGET/abi/3.0" ]] || die "this AppArmor is older than 3.0" "Upgrade this system; the pod runs without the profiles."
  apparmor_parser --skip-kernel-load --skip-cache --Include "$SOURCE" "$SOURCE"/ai-semble-* ||
    die "this AppArmor does not understand the profiles" "What it says stands above; the pod runs without them."
  for name in $(names); do
    put_file "$SOURCE/$name" "$TARGET/$name"
    wanted+=("$TARGET/$name")
  done
  keep_only "${wanted[@]}"
  record loaded
  run apparmor_parser --replace --write-cache "$TARGET"/ai-semble-*
}

step_status() {
  local name number=0 there=0 enforced differ=()
  is_on || { layer absent "this kernel has no AppArmor, or does not use it" && return; }
  for name in $(names); do
    number=$((number + 1))
    if [[ -e "$TARGET/$name" ]]; then there=$((there + 1)); fi
    if unlike "$SOURCE/$name" "$TARGET/$name"; then differ+=("$name"); fi
  done
  enforced="$(enforced)"
  if ((there == 0)); then
    layer off "on, without profiles of Ai-semble"
  elif ((${#differ[@]})); then
    layer old "$TARGET: not as in this checkout: ${differ[*]}"
  elif ((enforced < number - 1)); then
    layer off "$TARGET has the profiles; the kernel enforces $enforced of $((number - 1))"
  else
    layer on "$enforced profiles in $TARGET, all enforced"
  fi
}

# enforced - how many profiles of this checkout the kernel enforces; a number stands behind the name of each
enforced() {
  local file number=0
  for file in "$SOURCE"/ai-semble-*; do
    if cat "$PROFILES/$(basename "$file")".*/mode 2>/dev/null | grep -x enforce >/dev/null; then number=$((number + 1)); fi
  done
  echo "$number"
}

is_on() { [[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" == Y ]]; }

# names - the files; first what the others include, which is no profile by itself
names() { (cd "$SOURCE" && printf '%s\n' abstractions/ai-semble ai-semble-*); }

undo_loaded() {
  local file
  for file in "$TARGET"/ai-semble-*; do unload "$file"; done
}

# A profile whose file is gone could not be unloaded any more.
undo_file() {
  unload "$1"
  run rm --force "$1"
}

# unload FILE - one that is not loaded cannot be unloaded
unload() {
  if grep -q "^$(basename "$1") (" "$LOADED" 2>/dev/null; then run apparmor_parser --remove "$1"; fi
}

run_step "$@"
