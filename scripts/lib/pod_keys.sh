# API keys of a pod. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_keys BACKEND WORD... - `ai-semble keys` on the pod's volume, whether the pod runs or not
#
# No terminal is given to it: the key goes to standard output, what is said about it does not.
pod_keys() {
  shift
  local options=(--network none --volume "$PREFIX-state:/var/lib/ai-semble" --tmpfs /tmp)
  pod_needs_images
  options+=(--env "AI_SEMBLE_ENVIRONMENT__NAME=$ENVIRONMENT")
  mapfile -t -O "${#options[@]}" options < <(selinux_options orchestrator && pod_user_options orchestrator)
  if [[ -t 1 ]]; then options+=(--env "COLUMNS=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2 || echo 80)"); fi
  in_image "$(image orchestrator)" "${options[@]}" -- ai-semble keys "$@"
}
