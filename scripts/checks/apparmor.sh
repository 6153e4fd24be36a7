#!/usr/bin/env bash
# AppArmor stays on: it confines each service, and lets rootless containers run.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

# The names of all profiles in the kernel, which everybody may see; what they allow, only root.
PROFILES=/sys/kernel/security/apparmor/policy/profiles

main() {
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
  has_profiles ||
    warn "on, but lacks the profiles of the services" "sudo ./scripts/install-security.sh, then ./scripts/deploy.sh restart"
  ok "on, has a profile for each service, and lets rootless containers run"
}

# has_profiles - whether the kernel enforces each profile of this checkout
has_profiles() {
  local file
  for file in "$CHECKOUT"/security/apparmor/ai-semble-*; do
    # Behind the name stands a number.
    cat "$PROFILES/$(basename "$file")".*/mode 2>/dev/null | grep -qx enforce || return
  done
}

main
