#!/usr/bin/env bash
# Images are layers; without overlay Podman copies each one whole, for every image and container.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

needs_podman
driver="$(podman info --format '{{.Store.GraphDriverName}}' 2>/dev/null || true)"
[[ "$driver" != vfs ]] ||
  warn "Podman copies every layer (storage driver vfs): slow, and several times the disk" \
    "$(install_command containers-storage fuse-overlayfs), then, with all images and volumes of yours lost: podman system reset"
ok "storage driver $driver"
