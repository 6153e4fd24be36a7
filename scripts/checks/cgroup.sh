#!/usr/bin/env bash
# Limits of memory, CPU and processes need cgroup v2 with these controllers delegated to the user.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

[[ -f /sys/fs/cgroup/cgroup.controllers ]] ||
  bad "this system uses cgroup v1" "Boot with systemd.unified_cgroup_hierarchy=1"
delegated="/sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service/cgroup.controllers"
read -r -a controllers < <(cat "$delegated" 2>/dev/null || echo) || true
for controller in memory cpu pids; do
  [[ " ${controllers[*]-} " == *" $controller "* ]] && continue
  warn "the controller $controller is not delegated to this user; its limit is left out" \
    "sudo systemctl edit user@.service, and add: [Service] Delegate=cpu memory pids"
  exit 0
done
ok "cgroup v2, limits can be set"
