# How other machines reach a pod: its certificate, and whether it may be started like that. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_certificate BACKEND WORD... - `ai-semble certificate` on the orchestrator's own volume, so nothing else reads the key
pod_certificate() {
  shift
  pod_needs_images
  in_orchestrator -- ai-semble certificate "$@"
}

# pod_may_start BACKEND [FOLDER] - die with what is missing when other machines would reach this environment, by the units of
# this folder, or those that are installed
pod_may_start() {
  if [[ -z "$("$1_exposed" "${2-}")" ]]; then return; fi
  in_orchestrator --volume "$CONFIG_FOLDER:/etc/ai-semble:ro,z" --env AI_SEMBLE_EXPOSE__PORT=8443 -- \
    ai-semble config check >/dev/null || exit 1 # it has said why
}

# in_orchestrator [PODMAN_OPTION...] -- WORD... - one command in the orchestrator's image, on its volume
in_orchestrator() {
  local options=(--network none --volume "$PREFIX-state:/var/lib/ai-semble" --tmpfs /tmp)
  options+=(--env "AI_SEMBLE_ENVIRONMENT__NAME=$ENVIRONMENT")
  mapfile -t -O "${#options[@]}" options < <(selinux_options orchestrator && pod_user_options orchestrator)
  in_image "$(image orchestrator)" "${options[@]}" "$@"
}
