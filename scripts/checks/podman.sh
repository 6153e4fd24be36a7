#!/usr/bin/env bash
# The pod needs Podman 4.0 or newer; from 5.0 on systemd units are made of Quadlets.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

command -v podman >/dev/null 2>&1 || bad "Podman is not installed" "$(install_command podman)"
((UID != 0)) || bad "this is root, and the pod is an ordinary user's" "Log in as the user who shall run it"
version="$(podman_version)" ||
  bad "Podman does not work for this user" "Run podman info; it says why"
((${version%%.*} >= 4)) || bad "Podman $version is too old, 4.0 is needed" "Upgrade this system"
backend=quadlet
if ((${version%%.*} < 5)); then backend=kube; fi
ok "Podman $version (backend $backend)"
