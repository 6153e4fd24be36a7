# How other machines reach a pod: its certificate, and whether it may be started like that. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_certificate BACKEND WORD... - `ai-semble certificate` on the orchestrator's own volume, so nothing else reads the key
pod_certificate() {
  shift
  pod_needs_images
  in_orchestrator -- ai-semble certificate "$@"
}

# pod_may_start BACKEND - die with what is missing when other machines would reach this environment
pod_may_start() {
  if [[ -z "$("$1_exposed")" ]]; then return; fi
  in_orchestrator --volume "$(config_home)/ai-semble:/etc/ai-semble:ro,z" --env AI_SEMBLE_EXPOSE__PORT=8443 -- \
    ai-semble config check >/dev/null || exit 1 # it has said why
}

# pod_take_settings BACKEND - write the units anew when the settings are others, since they say what the pod reaches, and
# who reaches it; those of the development pod are always new
pod_take_settings() {
  if [[ "$ENVIRONMENT" != dev ]] && pod_has_new_settings "$1"; then pod_install "$1"; fi
}

# pod_has_new_settings BACKEND - whether they are not those that the units were written for
pod_has_new_settings() {
  [[ "$(pod_settings)" != "$(cat "$("$1_place" "$PREFIX.settings")" 2>/dev/null)" ]]
}

# pod_settings - the user's settings; none is said where there is no file
pod_settings() { cat "$(config_home)/ai-semble/ai-semble.toml" 2>/dev/null || true; }

# in_orchestrator [PODMAN_OPTION...] -- WORD... - one command in the orchestrator's image, on its volume
in_orchestrator() {
  local options=(--network none --volume "$PREFIX-state:/var/lib/ai-semble" --tmpfs /tmp)
  options+=(--env "AI_SEMBLE_ENVIRONMENT__NAME=$ENVIRONMENT")
  mapfile -t -O "${#options[@]}" options < <(selinux_options orchestrator && pod_user_options orchestrator)
  in_image localhost/ai-semble/orchestrator:latest "${options[@]}" "$@"
}
