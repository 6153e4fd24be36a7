#!/usr/bin/env bash
# SELinux stays on: it confines the containers, and Podman labels what they may touch.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

if [[ ! -e /sys/fs/selinux/enforce ]]; then
  ok "this system does not use SELinux"
  exit
fi
[[ "$(cat /sys/fs/selinux/enforce)" == 1 ]] ||
  warn "SELinux only warns (permissive), so it protects nothing" "sudo setenforce 1, and SELINUX=enforcing in /etc/selinux/config"
needs_podman
[[ "$(podman info --format '{{.Host.Security.SELinuxEnabled}}' 2>/dev/null)" == true ]] ||
  bad "Podman does not label containers although SELinux is on" \
    "$(install_command container-selinux); containers.conf must not say label=false"
ok "enforcing, containers are labelled"
