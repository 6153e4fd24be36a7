# Backend `quadlet`: the pod as systemd units of this user, for Podman >= 5.0. Sourced by deploy.sh and setup.sh.
# With network.topology = "network" there is no pod: then $PREFIX-pod.service is a unit that only bears its name.
# shellcheck shell=bash

quadlet_is_installed() { [[ -e "$QUADLET_FOLDER/$PREFIX.pod" ]] || quadlet_is_apart; }
# quadlet_is_apart - whether the units are those of separate containers
quadlet_is_apart() { [[ "$(pod_topology "$QUADLET_FOLDER")" == network ]]; }
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
  printf '%s\n' "$PREFIX".{network,pod,target,pod.service,settings} "$PREFIX"-{data,state}.volume \
    "$PREFIX"-{healthy,pod}.service "$PREFIX-inside.network"
  pod_slice
  for name in "${POD_SERVICES[@]}" shell; do echo "$PREFIX-$name.container"; done
}
quadlet_place() {
  case "$1" in
    *.service | *.target | *.slice) echo "$UNIT_FOLDER/$1" ;;
    *) echo "$QUADLET_FOLDER/$1" ;;
  esac
}

quadlet_port() { quadlet_published | sed -n 's/^127\.0\.0\.1:\([0-9]*\):8080$/\1/p'; }
quadlet_exposed() { quadlet_published "${1-}" | sed -n 's/:8443$//p'; }
# quadlet_published [FOLDER] - what the host publishes, as Podman writes it
quadlet_published() {
  local folder="${1:-$QUADLET_FOLDER}" unit="$PREFIX.pod"
  if [[ "$(pod_topology "$folder")" == network ]]; then unit="$PREFIX-orchestrator.container"; fi
  sed -n 's/^PublishPort=//p' "$folder/$unit"
}

quadlet_is_internal() { grep -qsx 'Internal=true' "$QUADLET_FOLDER/$PREFIX.network"; }

quadlet_make_secret() {
  if podman secret inspect "$PREFIX-token" >/dev/null 2>&1; then return; fi
  random_token | podman secret create "$PREFIX-token" - >/dev/null
}

# Quadlet makes a unit of each network. It stays active when somebody removes the network, as `podman network prune`
# does while the pod is stopped, and would not make it again.
quadlet_prepare() {
  local network
  for network in "$PREFIX" "$PREFIX-inside"; do
    podman network exists "$network" || systemctl --user stop "$network-network.service" 2>/dev/null || true
  done
}

# quadlet_made - the units, active without the pod, of what stands behind it
quadlet_made() {
  printf "$PREFIX-%s.service\n" network inside-network data-volume state-volume
  pod_slice
}

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
  done < <(podman ps --all --filter "name=^$PREFIX-" --format '{{.Names}}|{{.Status}}' 2>/dev/null)
  for service in "${POD_SERVICES[@]}"; do
    name="${states["$PREFIX-$service"]-not created yet}"
    if [[ "$name" != healthy ]]; then echo "$service ($name)"; fi
  done
}
