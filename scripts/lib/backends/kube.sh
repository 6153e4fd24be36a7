# Backend `kube`: the pod by `podman kube play`, for Podman 4.0 to 4.9. Sourced by deploy.sh.
# shellcheck shell=bash

kube_is_installed() { false; }
kube_is_running() { false; }
kube_start() { die_pod_not_yet; }
