#!/usr/bin/env bash
# What the services say goes to the journal; a user reads it only where every user has a journal.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

command -v journalctl >/dev/null 2>&1 || bad "there is no journal" "Use a system with systemd-journald"
# It ends well and says so on stderr when there is nothing that the user may read.
said="$(journalctl --user --lines 1 --output cat 2>&1 >/dev/null || true)"
if [[ "$said" == *"No journal files"* || "$said" == *"ermission"* ]]; then
  warn "you cannot read your own journal, so logs stay invisible" \
    "sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald, or: sudo usermod -aG systemd-journal $(id -un)"
fi
ok "the journal can be read"
