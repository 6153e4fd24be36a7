# Which backend there is, and which is meant. Sourced by deploy.sh and setup.sh.
# A backend NAME is a file backends/NAME.sh with NAME_is_installed and NAME_is_running. What a verb does is
# embedded_<verb>, or pod_<verb> for both backends with a pod.
# shellcheck shell=bash

BACKENDS=(quadlet kube embedded)

for part in gpu images selinux environments environment_ports pod pod_topology pod_units pod_settings pod_setup pod_keys pod_exposure pod_network pod_verbs \
  pod_facts fetching update environment_list environment_verbs environment_copies; do
  # shellcheck source=/dev/null
  source "$CHECKOUT/scripts/lib/$part.sh"
done
for part in "${BACKENDS[@]}"; do
  # shellcheck source=/dev/null
  source "$CHECKOUT/scripts/lib/backends/$part.sh"
done
unset part

# pod_backend - print the backend for the Podman of this machine
pod_backend() {
  local version
  command -v podman >/dev/null 2>&1 ||
    die "Podman is not installed" \
      "Install it (Debian, Ubuntu: sudo apt install podman), or run without isolation: ./scripts/deploy.sh start --embedded"
  version="$(podman_version)" ||
    die "Podman does not work for this user" "Run: podman info"
  ((${version%%.*} >= 4)) ||
    die "Podman $version is too old, 4.0 is needed" "Upgrade this system, or: ./scripts/deploy.sh start --embedded"
  if ((${version%%.*} >= 5)); then echo quadlet; else echo kube; fi
}

# act_by BACKEND VERB [WORD...]
act_by() {
  local backend="$1" verb="$2"
  shift 2
  if [[ "$backend" == embedded ]]; then "embedded_$verb" "$@"; else "pod_$verb" "$backend" "$@"; fi
}

# pod_environments - a line `BACKEND ENVIRONMENT` for every pod that is installed for this user
pod_environments() {
  local path name
  for path in "$QUADLET_FOLDER"/ai-semble*{.pod,-inside.network} "$KUBE_FOLDER"/ai-semble*.yaml; do
    [[ -e "$path" ]] || continue
    name="${path##*/}"
    name="${name%.*}"
    if [[ "$path" == *.network ]]; then name="${name%-inside}"; fi
    name="${name#ai-semble}"
    name="${name#-}"
    if [[ "$path" == *.yaml ]]; then echo "kube ${name:-default}"; else echo "quadlet ${name:-default}"; fi
  done
}

# backend_in_use - print the backend that the words of this command are about
backend_in_use() {
  local backend installed=()
  for backend in "${BACKENDS[@]}"; do
    if "${backend}_is_installed" && environment_may_be "$backend"; then installed+=("$backend"); fi
  done
  if ((${#installed[@]} == 0)); then
    if is_named "$ENVIRONMENT"; then
      die "the environment $ENVIRONMENT is not set up" "Set it up again: ./scripts/setup.sh --env $ENVIRONMENT; or: ./scripts/deploy.sh env delete $ENVIRONMENT"
    fi
    die "Ai-semble is not set up for this user" \
      "Set it up and start it: ./scripts/setup.sh && ./scripts/deploy.sh start, or without Podman: ./scripts/deploy.sh start --embedded"
  fi
  if ((${#installed[@]} > 1)); then
    for backend in "${installed[@]}"; do
      if "${backend}_is_running"; then
        echo "$backend"
        return
      fi
    done
  fi
  echo "${installed[0]}"
}
