# Backend `quadlet`: the pod as systemd units of this user, for Podman >= 5.0. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

quadlet_is_installed() { [[ -e "$QUADLET_FOLDER/$PREFIX.pod" ]]; }
quadlet_is_running() { quadlet_is_installed && pod_is_running quadlet; }

quadlet_units() {
  local service
  echo "$PREFIX.target"
  for service in "${POD_SERVICES[@]}"; do quadlet_unit_of "$service"; done
  if [[ -e "$QUADLET_FOLDER/$PREFIX-shell.container" ]]; then quadlet_unit_of shell; fi
  printf '%s\n' "$PREFIX-healthy.service" "$PREFIX.pod.service" "$PREFIX-pod.service"
}
quadlet_unit_of() { echo "$PREFIX-$1.service"; }

# The volume of the models is no environment's own.
quadlet_files() {
  local name
  printf '%s\n' "$PREFIX".{network,pod,target,pod.service} "$PREFIX"-{data,state}.volume "$PREFIX-healthy.service"
  for name in "${POD_SERVICES[@]}" shell; do echo "$PREFIX-$name.container"; done
}
quadlet_place() {
  case "$1" in
    *.service | *.target) echo "$UNIT_FOLDER/$1" ;;
    *) echo "$QUADLET_FOLDER/$1" ;;
  esac
}

quadlet_port() { sed -n 's/^PublishPort=127\.0\.0\.1:\([0-9]*\):8080$/\1/p' "$QUADLET_FOLDER/$PREFIX.pod"; }

quadlet_exposed() { sed -n 's/^PublishPort=\(.*\):8443$/\1/p' "$QUADLET_FOLDER/$PREFIX.pod"; }

quadlet_is_internal() { grep -qsx 'Internal=true' "$QUADLET_FOLDER/$PREFIX.network"; }

quadlet_make_secret() {
  if podman secret inspect "$PREFIX-token" >/dev/null 2>&1; then return; fi
  random_token | podman secret create "$PREFIX-token" - >/dev/null
}

# Quadlet makes a unit of the network, which the pod requires. It stays active when somebody removes the network, as
# `podman network prune` does while the pod is stopped, and would not make it again.
quadlet_prepare() { podman network exists "$PREFIX" || systemctl --user stop "$PREFIX-network.service" 2>/dev/null || true; }

# quadlet_made - the units, active without the pod, of what stands behind it
quadlet_made() { printf "$PREFIX-%s.service\n" network data-volume state-volume; }

# quadlet_unready - the services that Podman does not find healthy, which is what systemd waits for
quadlet_unready() {
  local service name status
  declare -A states=()
  while IFS='|' read -r name status; do
    case "$status" in
      *'(healthy)'*) states[$name]=healthy ;;
      *'(unhealthy)'*) states[$name]=unhealthy ;;
      Up*) states[$name]=starting ;;
      *) states[$name]=stopped ;;
    esac
  done < <(podman ps --all --filter "pod=$PREFIX" --format '{{.Names}}|{{.Status}}' 2>/dev/null)
  for service in "${POD_SERVICES[@]}"; do
    name="${states["$PREFIX-$service"]-not created yet}"
    if [[ "$name" != healthy ]]; then echo "$service ($name)"; fi
  done
}
