# The units of an environment: rendered in the base image, and put where systemd looks. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_render BACKEND FOLDER [OPTION...] - write this environment's units into a folder
pod_render() {
  local backend="$1" folder="$2" port="${AI_SEMBLE_ORCHESTRATOR__PORT-}" options=(--environment "$ENVIRONMENT")
  local mounts=(--volume "$folder:/out:z")
  shift 2
  # The variable is the normal pod's; not given, the port stays as it was.
  if [[ "$ENVIRONMENT" == dev ]]; then port=''; fi
  if is_named "$ENVIRONMENT"; then port="${DEFINITION[port]-}"; fi
  if [[ -z "$port" ]] && "${backend}_is_installed"; then port="$("${backend}_port")"; fi
  if [[ -n "$port" ]]; then options+=(--port "$port"); fi
  if [[ "$(gpu_state)" == usable ]]; then options+=(--gpu); fi
  if [[ "$(podman info --format '{{.Host.Security.SELinuxEnabled}}')" == true ]]; then
    options+=(--selinux)
    if has_selinux_module; then options+=(--selinux-module); fi
  fi
  mapfile -t -O "${#options[@]}" options < <(environment_options)
  if [[ -d "$CONFIG_FOLDER" ]]; then mounts+=(--volume "$CONFIG_FOLDER:/etc/ai-semble:ro,z"); fi
  in_image "$POD_BASE" --network none --user root "${mounts[@]}" -- ai-semble units render \
    --backend "$backend" --podman "$(podman_version)" \
    --limits "$(pod_limits)" --config-dir "$CONFIG_FOLDER" --output /out "${options[@]}" "$@"
}

# pod_install BACKEND [RENDER_OPTION...] - render the units and put them where systemd looks
pod_install() {
  pod_draft "$@"
  pod_put "$1"
}

# pod_draft BACKEND [RENDER_OPTION...] - render the units into the folder POD_DRAFT, with the settings that they are for
pod_draft() {
  local backend="$1" settings
  shift
  POD_DRAFT="$(mktemp -d "${TMPDIR:-/tmp}/ai-semble-units.XXXXXX")"
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$POD_DRAFT'" EXIT
  # Read first: what is saved while the units are rendered is taken the next time.
  settings="$(pod_settings)"
  # Beside the units, so that an update that fails puts them back together.
  { pod_render "$backend" "$POD_DRAFT" "$@" >/dev/null && printf '%s\n' "$settings" >"$POD_DRAFT/$PREFIX.settings"; } ||
    die "the units could not be written" "The lines above say why; the image may be of another version: ./scripts/setup.sh"
}

# pod_put BACKEND [restart] - have the units of POD_DRAFT. What runs is stopped for a restart, or for another topology, when
# there is room for all of them
pod_put() {
  local hint="The lines above say why; free some disk space if it is full. Then run it again."
  { pod_install_profiles && stage_units "$1" "$POD_DRAFT"; } || die "the units could not be written" "$hint"
  if [[ "${2-}" == restart ]]; then pod_halt "$1"; fi
  pod_fit_topology "$1" "$POD_DRAFT"
  put_units "$1" "$POD_DRAFT" || die "the units could not be written" "$hint"
  rm -rf "$POD_DRAFT"
  trap - EXIT
  pod_own_volumes
  systemctl --user daemon-reload
}

# install_units BACKEND FOLDER - have the unit files of this folder, and no others of this environment
install_units() { stage_units "$@" && put_units "$@"; }

# stage_units BACKEND FOLDER - have them on the disk, where systemd does not see them; all of them, or none
stage_units() {
  local backend="$1" folder="$2" file
  # While units may be of two kinds nothing says for which settings they are, so the next start writes them anew.
  rm -f "$("${backend}_place" "$PREFIX.settings")"
  for file in "$folder"/*; do
    stage_file "$file" "$("${backend}_place" "$(basename "$file")")" || {
      drop_staged "$@"
      return 1
    }
  done
}

drop_staged() {
  local file
  for file in "$2"/*; do rm -f "$("$1_place" "$(basename "$file")").new"; done
}

# put_units BACKEND FOLDER - let what was staged take its place; the settings last, since they say that all is there
put_units() {
  local backend="$1" folder="$2" file settings="$PREFIX.settings"
  for file in "$folder"/*; do
    [[ "$(basename "$file")" == "$settings" ]] || put_staged "$("${backend}_place" "$(basename "$file")")" || return
  done
  while IFS= read -r file; do
    [[ -e "$folder/$(basename "$file")" ]] || rm -f "$file" || return
  done < <(pod_installed "$backend")
  [[ ! -e "$folder/$settings" ]] || put_staged "$("${backend}_place" "$settings")"
}

# pod_install_profiles - what the system calls of each service are, as its images need them
pod_install_profiles() {
  local profile status=0
  for profile in "$CHECKOUT"/security/seccomp/*.json; do
    install_file "$profile" "$SECCOMP_FOLDER/$(basename "$profile")" || status=1
  done
  return "$status"
}

# install_file FROM TO - only when it is different, and whole at any moment
install_file() { stage_file "$1" "$2" && put_staged "$2"; }

# stage_file FROM TO - have it beside its place when it is different from what is there
stage_file() {
  # One that was left by a run that was killed is of no use.
  rm -f "$2.new"
  if cmp --silent "$1" "$2"; then return; fi
  # Whoever calls it in a condition has switched `set -e` off.
  mkdir -p "$(dirname "$2")" && cp "$1" "$2.new" && chmod 0644 "$2.new"
}

put_staged() { [[ ! -e "$1.new" ]] || mv "$1.new" "$1"; }
