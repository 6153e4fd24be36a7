#!/usr/bin/env bash
# SELinux gives each service a domain of its own, narrower than that of all containers.
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"
# shellcheck source=scripts/lib/gpu.sh
source "$CHECKOUT/scripts/lib/gpu.sh"

MODULE=ai_semble
SOURCE="$CHECKOUT/security/selinux/$MODULE.cil"
# What was installed last; semodule keeps modules where only root can look.
INSTALLED="$STATE/$MODULE.cil"
DEVICES=container_use_devices

step_install() {
  is_on || { note "this kernel has no SELinux, or does not use it" && return; }
  command -v semodule >/dev/null || die "semodule is not installed" "Install the package policycoreutils."
  if unlike "$SOURCE" "$INSTALLED" || ! is_there; then
    record module
    note "this takes some seconds"
    run semodule --install "$SOURCE"
    put_file "$SOURCE" "$INSTALLED"
    note "then, as the user: ./scripts/setup.sh --no-images --no-models, which gives volumes and units the new types"
  else
    note "the module is installed already"
  fi
  if [[ "$(gpu_state)" == usable && "$(getsebool "$DEVICES" 2>/dev/null)" == *off ]]; then
    note "this machine has a GPU, which containers may use only with this switch"
    record boolean "$DEVICES"
    run setsebool -P "$DEVICES" on
  fi
}

step_status() {
  is_on || { layer absent "this kernel has no SELinux, or does not use it" && return; }
  local mode=permissive
  if [[ "$(</sys/fs/selinux/enforce)" == 1 ]]; then mode=enforcing; fi
  if [[ ! -e "$INSTALLED" ]] || ! is_there; then
    layer off "$mode, without the module $MODULE"
  elif unlike "$SOURCE" "$INSTALLED"; then
    layer old "the module $MODULE is not as in this checkout"
  elif [[ "$mode" == permissive ]]; then
    layer off "the module $MODULE is installed, but SELinux only warns: sudo setenforce 1"
  else
    layer on "enforcing, with the module $MODULE"
  fi
}

is_on() { [[ -e /sys/fs/selinux/enforce ]]; }

# is_there - only root can list the modules; for others it is there when we have installed it
is_there() { ((EUID != 0)) || semodule --list-modules | grep -x "$MODULE" >/dev/null; }

undo_module() {
  if ! is_there; then return; fi
  run semodule --remove "$MODULE"
  note "then, as the user: ./scripts/setup.sh --no-images --no-models, or units that name its types do not start again"
}

undo_boolean() { run setsebool -P "$1" off; }

run_step "$@"
