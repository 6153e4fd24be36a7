#!/usr/bin/env bash
# The pod needs Podman 4.0 or newer; from 5.0 on systemd units are made of Quadlets.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

command -v podman >/dev/null 2>&1 || bad "Podman is not installed" "sudo apt install podman"
version="$(podman version --format '{{.Client.Version}}' 2>/dev/null)" ||
  bad "Podman does not work for this user" "Run podman info; it says why"
((${version%%.*} >= 4)) || bad "Podman $version is too old, 4.0 is needed" "Upgrade this system"
ok "Podman $version"
