#!/usr/bin/env bash
# The user's services start at boot and outlive the login (linger).
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"

step_install() {
  user_or_leave
  if lingers; then
    note "$SECURITY_USER has it already"
  else
    record linger "$SECURITY_USER"
    run loginctl enable-linger "$SECURITY_USER"
  fi
}

step_status() {
  if [[ -z "$SECURITY_USER" ]]; then
    layer absent "no user is named (--user NAME)"
  elif lingers; then
    layer on "services of $SECURITY_USER start at boot"
  else
    layer off "services of $SECURITY_USER would end at logout"
  fi
}

lingers() { [[ -e "/var/lib/systemd/linger/$SECURITY_USER" ]]; }

undo_linger() {
  if [[ -e "/var/lib/systemd/linger/$1" ]]; then run loginctl disable-linger "$1"; fi
}

run_step "$@"
