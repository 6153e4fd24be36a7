# Backend `quadlet`: the pod as systemd units of this user, for Podman >= 5.0. Sourced by deploy.sh.
# shellcheck shell=bash

quadlet_is_installed() { false; }
quadlet_is_running() { false; }
quadlet_start() { die_pod_not_yet; }
