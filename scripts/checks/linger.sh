#!/usr/bin/env bash
# Without linger systemd ends the services at logout and does not start them at boot.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

name="$(id -un)"
[[ -e "/var/lib/systemd/linger/$name" ]] ||
  warn "the services would end when you log out" "loginctl enable-linger (setup.sh tries it), or: sudo ./scripts/install-security.sh"
ok "the services outlive the login, and start at boot"
