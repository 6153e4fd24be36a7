#!/usr/bin/env bash
# The pod is run by the user's own systemd, which must go on after logout.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

systemctl --user show-environment >/dev/null 2>&1 ||
  bad "there is no systemd user session" "Log in directly (not by su), or: sudo loginctl enable-linger $(id -un)"
[[ -e "/var/lib/systemd/linger/$(id -un)" ]] || {
  warn "the services would end when you log out" "loginctl enable-linger"
  exit 0
}
ok "systemd user session with linger"
