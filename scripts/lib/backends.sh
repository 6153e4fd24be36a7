# Which backend there is, and which is meant. Sourced by deploy.sh and setup.sh.
# A backend NAME is a file backends/NAME.sh with NAME_is_installed, NAME_is_running and one NAME_<verb> a verb.
# shellcheck shell=bash

BACKENDS=(quadlet kube embedded)

for backend in "${BACKENDS[@]}"; do
  # shellcheck source=/dev/null
  source "$CHECKOUT/scripts/lib/backends/$backend.sh"
done
unset backend

die_pod_not_yet() {
  die "the pod backend is not part of this version yet" \
    "Without isolation it runs now: ./scripts/deploy.sh start --embedded"
}

# pod_backend - print the backend for the Podman of this machine
pod_backend() {
  local version
  command -v podman >/dev/null 2>&1 ||
    die "Podman is not installed, and the pod that needs it is not part of this version yet" \
      "Without isolation it runs now: ./scripts/deploy.sh start --embedded"
  version="$(podman version --format '{{.Client.Version}}' 2>/dev/null)" ||
    die "Podman does not work for this user" "Run: podman info"
  if ((${version%%.*} >= 5)); then echo quadlet; else echo kube; fi
}

# backend_in_use - print the backend that the words of this command are about
backend_in_use() {
  local backend installed=()
  for backend in "${BACKENDS[@]}"; do
    if "${backend}_is_installed"; then installed+=("$backend"); fi
  done
  if ((${#installed[@]} == 0)); then
    die "Ai-semble is not set up for this user" "Start it: ./scripts/deploy.sh start --embedded"
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
