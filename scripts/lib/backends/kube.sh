# Backend `kube`: the pod by `podman kube play`, for Podman 4.0 to 4.9. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# Where the token lies in its volume, as the pod mounts it.
KUBE_TOKEN_FOLDER=/run/ai-semble

kube_is_installed() { [[ -e "$KUBE_FOLDER/$PREFIX.yaml" ]]; }
kube_is_running() { kube_is_installed && pod_is_running kube; }

kube_units() { printf '%s\n' "$PREFIX.target" "$PREFIX.pod.service" "$PREFIX-pod.service"; }
kube_unit_of() { echo "$PREFIX-pod.service"; }

kube_files() {
  printf '%s\n' "$PREFIX".{yaml,settings}
  kube_units
}
kube_place() {
  case "$1" in
    *.service | *.target) echo "$UNIT_FOLDER/$1" ;;
    *) echo "$KUBE_FOLDER/$1" ;;
  esac
}

kube_port() {
  sed -n '/containerPort: 8080$/,/hostPort:/s/^ *hostPort: *\([0-9]*\)$/\1/p' "$KUBE_FOLDER/$PREFIX.yaml" | head -n 1
}

kube_exposed() {
  awk '
    /containerPort:/ { is_outer = /: 8443$/ }
    is_outer && $1 == "hostPort:" { port = $2 }
    is_outer && $1 == "hostIP:" { gsub(/"/, "", $2); print (($2 ~ /:/) ? "[" $2 "]" : $2) ":" port }
  ' "${1:-$KUBE_FOLDER}/$PREFIX.yaml"
}

kube_is_internal() { grep -qsE '^ *"?ai-semble/network"?: "?internal"?$' "$KUBE_FOLDER/$PREFIX.yaml"; }

# Podman 4 gives its secrets to no pod in a form that a file can be made of: a volume of its own holds the token.
kube_make_secret() {
  local volume="$PREFIX-token"
  podman volume exists "$volume" || podman volume create "$volume" >/dev/null
  # shellcheck disable=SC2016 # its variables are the container's
  random_token | in_image "$POD_BASE" --network none --volume "$volume:$KUBE_TOKEN_FOLDER" -- bash -euc '
    cd "$1"
    if [ -s ai-semble-token ]; then exit; fi
    umask 0277
    rm -f draft
    cat >draft
    mv draft ai-semble-token' - "$KUBE_TOKEN_FOLDER"
}

# kube_prepare - what `podman kube play` expects to be there
kube_prepare() {
  local options=()
  # Before aardvark-dns 1.11, Podman's name server asks others for names even there.
  if kube_is_internal; then options+=(--internal --disable-dns); fi
  if podman network exists "$PREFIX"; then return; fi
  # Else the host of all networks hands packets from one to the other.
  podman network create --opt isolate=true ${options[@]+"${options[@]}"} "$PREFIX" >/dev/null 2>&1 ||
    podman network create ${options[@]+"${options[@]}"} "$PREFIX" >/dev/null
  pod_networks_are_isolated ||
    say "This Podman does not keep networks apart: other pods of yours reach the port of $PREFIX. A newer one does."
}

kube_made() { :; }

# kube_unready - the services that do not answer; Podman 4 asks for health too late to wait for it
kube_unready() {
  local container answer service asked=("live:orchestrator:${POD_PORTS[orchestrator]}")
  for service in "${POD_SERVICES[@]:1}"; do asked+=("ready:$service:${POD_PORTS[$service]}"); done
  for container in $(pod_containers); do
    answer="$(timeout 10 podman exec "$container" bash -c "$KUBE_ASK" - "${asked[@]}" 2>/dev/null)" || continue
    if [[ -n "$answer" ]]; then printf '%s\n' "$answer"; fi
    return
  done
  printf '%s (not created yet)\n' "${POD_SERVICES[@]}"
}
# shellcheck disable=SC2016 # its variables are the container's
KUBE_ASK='
for one; do
  IFS=: read -r question service port <<<"$one"
  ai-semble-healthy "$question" "$port" >/dev/null 2>&1 || echo "$service (starting)"
done
true'
