#!/usr/bin/env bash
# The pod is run by the user's own systemd, which is reached through XDG_RUNTIME_DIR and its bus.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

command -v systemctl >/dev/null 2>&1 ||
  bad "this system has no systemd" "Run it without Podman: ./scripts/deploy.sh start --embedded"
[[ -n "${XDG_RUNTIME_DIR-}" && -w "$XDG_RUNTIME_DIR" ]] ||
  bad "there is no user session (XDG_RUNTIME_DIR is ${XDG_RUNTIME_DIR:-not set})" \
    "Log in directly (ssh, not su), or: sudo loginctl enable-linger $(id -un)"
systemctl --user show-environment >/dev/null 2>&1 ||
  bad "systemd of this user does not answer" \
    "$(install_command dbus-user-session), then log out and in again; systemctl --user status says more"
# Units and scripts must look into the same folder.
theirs="$(systemctl --user show-environment | sed -n 's/^XDG_CONFIG_HOME=//p')"
[[ "${XDG_CONFIG_HOME:-$HOME/.config}" == "${theirs:-$HOME/.config}" ]] ||
  bad "XDG_CONFIG_HOME is $XDG_CONFIG_HOME here and ${theirs:-not set} for systemd" \
    "Unset it, or let systemd know it, too: a line in ~/.config/environment.d/10-xdg.conf, then log in again"
ok "systemd user session"
