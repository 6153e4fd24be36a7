#!/usr/bin/env bash
# Rootless containers need a range of subordinate user and group ids.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

name="$(id -un)"
((UID != 0)) || exit 0 # checks/podman.sh says it
command -v newuidmap >/dev/null 2>&1 || bad "newuidmap is not installed" "$(install_command uidmap)"
for file in /etc/subuid /etc/subgid; do
  # A directory service may hand out the ranges instead; getsubids knows it.
  option=()
  if [[ "$file" == /etc/subgid ]]; then option=(-g); fi
  grep -q "^\($name\|$UID\):" "$file" 2>/dev/null ||
    getsubids ${option[@]+"${option[@]}"} "$name" >/dev/null 2>&1 ||
    bad "$name has no range in $file" "sudo ./scripts/install-security.sh, then: podman system migrate"
done
ok "$name has subordinate ids"
