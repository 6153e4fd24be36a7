# The network of a pod. Whether it has a way out is decided when it is made. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_fit_network BACKEND - take away a network that was made for other settings; the backend makes it anew
pod_fit_network() {
  { pod_network_fits "$1" && pod_networks_are_isolated; } || podman network rm "$PREFIX" >/dev/null ||
    die "the network $PREFIX has to be made anew, since network.egress has changed or it is not isolated, and something uses it" \
      "podman ps --all --filter network=$PREFIX shows what; end that, then start again."
}

# pod_networks_are_isolated - whether nothing comes from it to another network; older versions made none like that. A pod is
# not restarted for it: the next start does it
pod_networks_are_isolated() {
  local is
  is="$(podman network inspect --format '{{index .Options "isolate"}}' "$PREFIX" 2>/dev/null)" || return 0
  [[ "$is" == true || "$is" == strict ]]
}

# pod_network_fits BACKEND - whether the network, where there is one, is as the units say
pod_network_fits() {
  local is wish="false *"
  is="$(podman network inspect --format '{{.Internal}} {{.DNSEnabled}}' "$PREFIX" 2>/dev/null)" || return 0
  # Without a way out it has no name server either.
  if "$1_is_internal"; then wish="true false"; fi
  # shellcheck disable=SC2053 # a pattern
  [[ "$is" == $wish ]]
}
