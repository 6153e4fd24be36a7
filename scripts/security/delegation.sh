#!/usr/bin/env bash
# Limits of memory, processors, processes and disk bandwidth for containers without root: systemd delegates the controllers.
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"

CONTROLLERS=(cpu cpuset io memory pids)
UNIT="user@$(id -u -- "${SECURITY_USER:-root}").service"
SOURCE="$CHECKOUT/security/systemd/user@.service.d/ai-semble.conf"
TARGET=/etc/systemd/system/user@.service.d/ai-semble.conf

step_install() {
  if [[ -z "$(missing)" && ! -e "$TARGET" ]]; then
    note "all controllers are delegated already"
  elif unlike "$SOURCE" "$TARGET"; then
    record reload
    put_file "$SOURCE" "$TARGET"
    run systemctl daemon-reload
    note "it holds for a user after the next boot"
  fi
}

step_status() {
  if [[ "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)" != cgroup2fs ]]; then
    layer absent "this system uses cgroup v1; limits need systemd.unified_cgroup_hierarchy=1 at boot"
  elif [[ -e "$TARGET" ]] && unlike "$SOURCE" "$TARGET"; then
    layer old "$TARGET is not as in this checkout"
  elif [[ -n "$(missing)" ]]; then
    layer off "not delegated to users: $(missing)"
  else
    layer on "${CONTROLLERS[*]} are delegated to users"
  fi
}

# missing - the controllers that systemd does not delegate to the user's manager
missing() {
  local controller delegated found=()
  delegated="$(systemctl show "$UNIT" --property DelegateControllers --value 2>/dev/null || true)"
  for controller in "${CONTROLLERS[@]}"; do
    [[ " $delegated " == *" $controller "* ]] || found+=("$controller")
  done
  echo "${found[*]}"
}

undo_reload() { run systemctl daemon-reload; }

run_step "$@"
