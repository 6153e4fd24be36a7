#!/usr/bin/env bash
# SELinux stays on: it confines the containers, and Podman labels what they may touch.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"
# shellcheck source=scripts/lib/selinux.sh
source "$CHECKOUT/scripts/lib/selinux.sh"

if ! has_selinux; then
  ok "this system does not use SELinux"
  exit
fi
[[ "$(cat /sys/fs/selinux/enforce)" == 1 ]] ||
  warn "SELinux only warns (permissive), so it protects nothing" "sudo setenforce 1, and SELINUX=enforcing in /etc/selinux/config"
needs_podman
[[ "$(podman info --format '{{.Host.Security.SELinuxEnabled}}' 2>/dev/null)" == true ]] ||
  bad "Podman does not label containers although SELinux is on" \
    "$(install_command container-selinux); containers.conf must not say label=false"
has_selinux_module ||
  warn "enforcing, but all services share the domain container_t" \
    "sudo ./scripts/install-security.sh gives each its own; then ./scripts/setup.sh"
ok "enforcing, each service in a domain of its own"
