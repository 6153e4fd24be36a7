#!/usr/bin/env bash
# Limits of memory, CPU and processes need cgroup v2 with these controllers delegated to the user.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

[[ "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)" == cgroup2fs ]] ||
  bad "this system uses cgroup v1" "Boot with systemd.unified_cgroup_hierarchy=1"
delegated="$(delegated_controllers)"
missing=()
for controller in memory cpu pids; do
  [[ " $delegated " == *" $controller "* ]] || missing+=("$controller")
done
((${#missing[@]} == 0)) ||
  warn "no limits of ${missing[*]}: not delegated to this user" \
    "sudo ./scripts/install-security.sh; reboot; run this again"
ok "cgroup v2, limits can be set"
