#!/usr/bin/env bash
# AppArmor stays on; some systems let it forbid the user namespaces that rootless containers need.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

if [[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]]; then
  ok "this system does not use AppArmor"
  exit
fi
needs_podman
if [[ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" == 1 ]] &&
  ! podman unshare true >/dev/null 2>&1; then
  bad "AppArmor forbids rootless containers" \
    "$(install_command podman apparmor): the package brings the profile that allows it (sudo apparmor_parser -r /etc/apparmor.d/podman)"
fi
ok "on, and lets rootless containers run"
