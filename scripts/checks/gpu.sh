#!/usr/bin/env bash
# A GPU reaches the containers through its CDI specification, which must fit the driver.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"
# shellcheck source=scripts/lib/gpu.sh
source "$CHECKOUT/scripts/lib/gpu.sh"

case "$(gpu_state)" in
  none) ok "no NVIDIA GPU; the processor computes" ;;
  no-driver) warn "there is an NVIDIA GPU, but its driver is not loaded" "Install it: $(install_command nvidia-driver)" ;;
  no-cdi)
    warn "the GPU is not described for containers; the processor computes instead" \
      "Install nvidia-container-toolkit, then: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
    ;;
  stale)
    warn "the GPU's description is older than its driver; the processor computes instead" \
      "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
    ;;
  usable)
    found="NVIDIA GPU with driver $(gpu_driver), described in $(gpu_specification)"
    version="$(podman_version)" || version=5
    ((${version%%.*} >= 5)) || warn "$found; Podman $version gives none to a pod, so the processor computes" \
      "Upgrade to a system with Podman 5, or let a server with a GPU answer: docs/howto/use-the-openai-sdk.md"
    ok "$found"
    ;;
esac
