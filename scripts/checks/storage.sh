#!/usr/bin/env bash
# Images share their layers on disk only with an overlay; `vfs` copies every layer whole, and is slow.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

needs_podman
driver="$(podman info --format '{{.Store.GraphDriverName}}' 2>/dev/null)" || exit 0 # checks/podman.sh says it
[[ "$driver" != vfs ]] ||
  warn "Podman copies every layer (storage driver vfs): many times the disk and time" \
    "$(install_command fuse-overlayfs), then: podman system reset (it deletes all your images, containers and volumes)"
ok "storage driver $driver"
