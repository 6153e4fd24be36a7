# How the containers are kept apart: in one pod, or each by itself, with a user of its own. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# The user that the images run as.
POD_USER=10001

# pod_topology FOLDER - `pod` or `network`: what the units in this folder are for
pod_topology() { if [[ -e "$1/$PREFIX-inside.network" ]]; then echo network; else echo pod; fi; }

# pod_fit_topology BACKEND FOLDER - end what runs, before units of another topology take the place of its own
pod_fit_topology() {
  if [[ "$1" != quadlet ]] || ! quadlet_is_installed; then return; fi
  [[ "$(pod_topology "$2")" != "$(pod_topology "$QUADLET_FOLDER")" ]] || return 0
  if pod_is_running quadlet; then
    say "The topology changes, so what runs is stopped"
    pod_end quadlet
  fi
  # The other topology has no use for it, and quadlet_prepare has it made anew.
  podman network rm "$PREFIX-inside" >/dev/null 2>&1 || true
}

# pod_slice - the part of the host that all processes of an environment share; the default one has none
pod_slice() { if is_named "$ENVIRONMENT"; then echo "ai-semble-${ENVIRONMENT//-/_}.slice"; fi; }

# pod_remove_containers - those that are left without a pod
pod_remove_containers() {
  local left
  mapfile -t left < <(podman ps --all --filter "name=^$PREFIX-" --format '{{.Names}}' 2>/dev/null |
    grep -xF -f <(pod_containers) || true)
  if ((${#left[@]})); then podman rm --force --time 12 "${left[@]}" >/dev/null; fi
}

# pod_user SERVICE - who the service's user is, by the numbers of `podman unshare`
pod_user() {
  local unit="$QUADLET_FOLDER/$PREFIX-$1.container" found=
  if [[ -e "$QUADLET_FOLDER/$PREFIX.pod" ]]; then unit="$QUADLET_FOLDER/$PREFIX.pod"; fi
  if [[ -e "$unit" ]]; then found="$(sed -nE "s/^(UIDMap=|PodmanArgs=.*--uidmap=)$POD_USER:([0-9]*):1$/\2/p" "$unit")"; fi
  echo "${found:-$POD_USER}"
}

# pod_user_options SERVICE - on stdout, a line each: what runs a container as the service's user
pod_user_options() {
  local user kind
  user="$(pod_user "$1")"
  [[ "$user" != "$POD_USER" ]] || return 0
  for kind in --uidmap --gidmap; do printf '%s\n' "$kind" "0:0:$POD_USER" "$kind" "$POD_USER:$user:1"; done
}

# pod_own_volumes - each volume belongs to the user of the service that writes it; only while that does not run
pod_own_volumes() {
  pod_own_volume "$PREFIX-state" "$(pod_user orchestrator)"
  pod_own_volume "$PREFIX-data" "$(pod_user data-processor)"
}

pod_own_volume() {
  local folder
  folder="$(podman volume inspect --format '{{.Mountpoint}}' "$1" 2>/dev/null)" || return 0
  [[ "$(podman unshare stat --format %u "$folder")" != "$2" ]] || return 0
  podman unshare chown --recursive --no-dereference "$2:$2" "$folder" ||
    die "the volume $1 could not be given to its service's user" "podman unshare ls -lan $folder shows whose it is; free some disk space if it is full."
}
