# What the backends quadlet and kube share: the pod's names, facts and verbs. Sourced by deploy.sh and setup.sh.
# A backend adds NAME_units, NAME_unit_of SERVICE, NAME_place FILE and NAME_files.
# shellcheck shell=bash

POD_SERVICES=(orchestrator llm vision nlp data-processor)
POD_BASE=localhost/ai-semble/base:latest
POD_MODELS=ai-semble-models
# Long enough for a cold disk and a large model.
POD_START_LIMIT_S="${AI_SEMBLE_START_LIMIT_S:-300}"
# Deaths in one start after which waiting longer is of no use.
POD_TOO_MANY_RESTARTS=4

# pod_choose ENVIRONMENT - which environment the names below are about
pod_choose() {
  ENVIRONMENT="$1"
  [[ "$ENVIRONMENT" =~ ^[a-z][a-z0-9-]{0,31}$ ]] ||
    die_usage "the environment's name is $ENVIRONMENT" "Use lower-case letters, digits and hyphens."
  PREFIX=ai-semble
  if [[ "$ENVIRONMENT" != default ]]; then PREFIX="ai-semble-$ENVIRONMENT"; fi
  QUADLET_FOLDER="$(config_home)/containers/systemd/$PREFIX"
  UNIT_FOLDER="$(config_home)/systemd/user"
  POD_STATE="${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/$ENVIRONMENT"
}
pod_choose "${AI_SEMBLE_ENVIRONMENT__NAME:-default}"

# in_image IMAGE [PODMAN_OPTION...] -- WORD... - run one command in one of our images, with as little as it needs
in_image() {
  local image="$1" options=()
  shift
  while [[ "$1" != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  podman run --rm --interactive --pull never --log-driver none --cap-drop all --security-opt no-new-privileges \
    --read-only --env "TZ=$(local_zone)" "${options[@]}" "$image" "$@"
}

# in_base WORD... - `ai-semble WORD...` in the base image, for what needs data structures; looks like the terminal
in_base() {
  local terminal=(--network none)
  if [[ -t 1 ]]; then
    terminal+=(--env "COLUMNS=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2 || echo 80)")
    if [[ -z "${NO_COLOR-}" ]]; then terminal+=(--env FORCE_COLOR=1); fi
  fi
  in_image "$POD_BASE" "${terminal[@]}" -- ai-semble "$@"
}

# local_zone - this machine's zone as a rule that needs no zone files in the image
local_zone() {
  local offset sign=-
  offset="$(date +%z)"
  if [[ "$offset" == -* ]]; then sign=+; fi
  printf '<%s>%s%s:%s\n' "$offset" "$sign" "${offset:1:2}" "${offset:3:2}"
}

# exclusively WORD... - run this script again as the only one that changes this environment
exclusively() {
  if [[ "${AI_SEMBLE_LOCKED-}" == "$PREFIX" ]]; then return; fi
  local file="${XDG_RUNTIME_DIR:-/tmp}/$PREFIX.lock"
  export AI_SEMBLE_LOCKED="$PREFIX"
  # --close: what podman leaves running must not keep the lock.
  if ! flock --nonblock "$file" true; then say "Another setup, start or stop of $PREFIX is at work; waiting for it"; fi
  exec flock --close "$file" bash "$0" "$@"
}

# --- what there is ---

pod_images_exist() {
  local name
  for name in base "${POD_SERVICES[@]}"; do
    podman image exists "localhost/ai-semble/$name:latest" || return 1
  done
}

pod_containers() { printf "$PREFIX-%s\n" "${POD_SERVICES[@]}"; }

# pod_healths - lines `SERVICE WORD`: the health of each container, `starting` before it is known
pod_healths() {
  local line name status
  while IFS='|' read -r name status; do
    case "$status" in
      *'(healthy)'*) line=healthy ;;
      *'(unhealthy)'*) line=unhealthy ;;
      Up*) line=starting ;;
      *) line=stopped ;;
    esac
    printf '%s %s\n' "${name#"$PREFIX"-}" "$line"
  done < <(podman ps --all --filter "name=^$PREFIX-(orchestrator|llm|vision|nlp|data-processor)\$" \
    --format '{{.Names}}|{{.Status}}' 2>/dev/null)
}

# pod_unready - names of the services that are not healthy, each with what it is
pod_unready() {
  local service state
  declare -A states=()
  while read -r service state; do states[$service]="$state"; done < <(pod_healths)
  for service in "${POD_SERVICES[@]}"; do
    if [[ "${states[$service]-}" != healthy ]]; then printf '%s (%s)\n' "$service" "${states[$service]:-not started}"; fi
  done
}

# pod_limits - the controllers that this user's containers can be limited with, as `units render` wants them
pod_limits() {
  local controller found=()
  for controller in $(podman info --format '{{range .Host.CgroupControllers}}{{.}} {{end}}'); do
    case "$controller" in cpu | memory | pids) found+=("$controller") ;; esac
  done
  if ((${#found[@]} == 0)); then
    echo none
  else
    local IFS=,
    echo "${found[*]}"
  fi
}

# --- setting up ---

# pod_write_config - the settings file, where every key is a comment: what it does not say keeps its default
pod_write_config() {
  local folder file
  folder="$(config_home)/ai-semble"
  file="$folder/ai-semble.toml"
  mkdir -p "$folder"
  # The containers' user is another one than ours.
  chmod 0755 "$folder"
  if [[ ! -e "$file" ]]; then
    {
      echo "# Settings of Ai-semble. Take the # from the lines that you change, then: ./scripts/deploy.sh restart"
      sed -E '1,2d; s/^([a-z_]+ = )/# \1/' "$CHECKOUT/configs/ai-semble.toml"
    } >"$file.new"
    mv "$file.new" "$file"
    say "Settings: $file"
  fi
  chmod 0644 "$file"
}

# pod_make_secret - the token that the services of this environment share; nobody ever sees it
pod_make_secret() {
  if podman secret inspect "$PREFIX-token" >/dev/null 2>&1; then return; fi
  od -An -v -tx1 -N 32 /dev/urandom | tr -d ' \n' | podman secret create "$PREFIX-token" - >/dev/null ||
    die "the services' shared secret could not be made" "podman secret ls shows what there is; then run it again."
}

# pod_fetch_models - the default models, into the volume that all environments share
pod_fetch_models() {
  podman volume exists "$POD_MODELS" || podman volume create "$POD_MODELS" >/dev/null
  pod_models pull ||
    die "the models could not be fetched" \
      "Do what stands above, then run it again: what is there already is not fetched twice."
}

# pod_models WORD... - `ai-semble models` on the volume
pod_models() {
  local options=(--volume "$POD_MODELS:/var/lib/ai-semble-models" --tmpfs /tmp) terminal=()
  if [[ -d "$(config_home)/ai-semble" ]]; then
    options+=(--volume "$(config_home)/ai-semble:/etc/ai-semble:ro" --security-opt label=disable)
  fi
  if [[ -t 2 && -t 0 ]]; then terminal=(--tty); fi
  in_image localhost/ai-semble/nlp:latest "${terminal[@]}" "${options[@]}" -- ai-semble models "$@"
}

# pod_render BACKEND FOLDER [OPTION...] - write this environment's units into a folder
pod_render() {
  local backend="$1" folder="$2" options=(--environment "$ENVIRONMENT")
  shift 2
  if [[ -n "${AI_SEMBLE_ORCHESTRATOR__PORT-}" ]]; then options+=(--port "$AI_SEMBLE_ORCHESTRATOR__PORT"); fi
  if [[ "$(gpu_state)" == usable ]]; then options+=(--gpu); fi
  if [[ "$(podman info --format '{{.Host.Security.SELinuxEnabled}}')" == true ]]; then options+=(--selinux); fi
  in_image "$POD_BASE" --network none --user root --volume "$folder:/out:z" -- ai-semble units render \
    --backend "$backend" --podman "$(podman version --format '{{.Client.Version}}')" \
    --limits "$(pod_limits)" --output /out "${options[@]}" "$@"
}

# pod_install BACKEND [RENDER_OPTION...] - render the units and put them where systemd looks
pod_install() {
  local backend="$1" folder file
  shift
  folder="$(mktemp -d "${TMPDIR:-/tmp}/ai-semble-units.XXXXXX")"
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$folder'" EXIT
  pod_render "$backend" "$folder" "$@" >/dev/null ||
    die "the units could not be written" "The lines above say why; the image may be of another version: ./scripts/setup.sh"
  while IFS= read -r file; do
    [[ -e "$folder/$(basename "$file")" ]] || rm -f "$file"
  done < <("${backend}_files")
  for file in "$folder"/*; do
    install_file "$file" "$("${backend}_place" "$(basename "$file")")"
  done
  rm -rf "$folder"
  trap - EXIT
  systemctl --user daemon-reload
}

# install_file FROM TO - only when it is different, and whole at any moment
install_file() {
  if cmp --silent "$1" "$2"; then return; fi
  mkdir -p "$(dirname "$2")"
  cp "$1" "$2.new"
  chmod 0644 "$2.new"
  mv "$2.new" "$2"
}

# pod_enable_linger - let the services outlive the login, where this user may say so
pod_enable_linger() {
  if [[ -e "/var/lib/systemd/linger/$(id -un)" ]]; then return; fi
  loginctl enable-linger 2>/dev/null ||
    say "The services end when you log out. So that they do not: sudo loginctl enable-linger $(id -un)"
}

# pod_setup BACKEND MODELS - everything that a start needs; what is done already is not done again
pod_setup() {
  local backend="$1" models="$2" other
  say "== images"
  build_images || die "the images could not be built" \
    "The lines above say why (disk full: podman system df). Run it again: what is built is not built twice."
  if [[ -n "$models" ]]; then
    say "== models"
    pod_fetch_models
  fi
  say "== settings, secret, units"
  pod_write_config
  pod_make_secret
  for other in quadlet kube; do
    if [[ "$other" != "$backend" ]] && "${other}_is_installed"; then
      pod_stop "$other"
      pod_remove_units "$other"
    fi
  done
  pod_install "$backend"
  pod_enable_linger
}

# --- verbs ---

pod_is_running() {
  local backend="$1" unit
  for unit in $("${backend}_units"); do
    if systemctl --user --quiet is-active "$unit" 2>/dev/null; then return 0; fi
  done
  return 1
}

pod_start() {
  local backend="$1"
  pod_images_exist || die "Ai-semble is not set up: images are missing" "Make them: ./scripts/setup.sh"
  "${backend}_is_installed" || die "Ai-semble is not set up: there are no units" "Make them: ./scripts/setup.sh"
  if systemctl --user --quiet is-active "$PREFIX.target" && [[ -z "$(pod_unready)" ]]; then
    say "Ai-semble is already running"
  else
    say "Starting the pod $PREFIX"
    systemctl --user daemon-reload
    # shellcheck disable=SC2046 # names of units have no spaces
    systemctl --user reset-failed $("${backend}_units") 2>/dev/null || true
    systemctl --user --quiet enable "$PREFIX.target" 2>/dev/null || true
    systemctl --user start --no-block "$PREFIX.target" ||
      die "systemd does not start $PREFIX.target" "systemctl --user status $PREFIX.target says why; ./scripts/setup.sh writes the units anew."
    pod_wait "$backend" || true
  fi
  pod_show_started "$backend"
}

# pod_wait BACKEND - until all are healthy; fails when that will not come, or not in time
pod_wait() {
  local backend="$1" began=$SECONDS unready before='' shown
  trap 'say; say "Interrupted; the services go on starting: ./scripts/deploy.sh status"; exit 130' INT
  while ((SECONDS - began < POD_START_LIMIT_S)); do
    unready="$(pod_unready)"
    shown="$(tr '\n' ',' <<<"$unready" | sed 's/,$//; s/,/, /g')"
    if [[ -t 2 ]]; then
      printf '\r\033[K%s s  waiting for %s' "$((SECONDS - began))" "$shown" >&2
    elif [[ "$unready" != "$before" && -n "$unready" ]]; then
      say "  $((SECONDS - began)) s  waiting for $shown"
    fi
    before="$unready"
    if [[ -z "$unready" ]]; then
      if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
      say "Ready after $((SECONDS - began)) s"
      # A service that stumbled has taken the target down with it.
      systemctl --user start --no-block "$PREFIX.target" || true
      trap - INT
      return 0
    fi
    if pod_has_given_up "$backend"; then break; fi
    sleep 0.5
  done
  if [[ -t 2 ]]; then printf '\n' >&2; fi
  trap - INT
  return 1
}

# pod_has_given_up BACKEND - whether waiting longer is of no use
pod_has_given_up() {
  local backend="$1" key value
  # shellcheck disable=SC2046 # names of units have no spaces
  while IFS='=' read -r key value; do
    case "$key" in
      NRestarts) if ((value >= POD_TOO_MANY_RESTARTS)); then return 0; fi ;;
      ActiveState) if [[ "$value" == failed ]]; then return 0; fi ;;
    esac
  done < <(systemctl --user show --property NRestarts,ActiveState $("${backend}_units"))
  return 1
}

pod_show_started() {
  local backend="$1" status=0
  pod_status "$backend" || status=$?
  if ((status == 0)) && [[ "$ENVIRONMENT" == dev ]]; then
    printf '\nA shell with the tools, and your source in it:\n  podman exec -it %s-shell bash\n' "$PREFIX"
  fi
  if ((status == 0)); then
    printf "\nTry it:\ncurl -X POST http://localhost:%s/ai/llm/completion -H 'Content-Type: application/json' -d '%s'\n" \
      "$("${backend}_port")" '{"prompt": "Hello, how are you?", "max_tokens": 100, "temperature": 0.7}'
  fi
  return "$status"
}

pod_stop() {
  local backend="$1" was_running=
  if pod_is_running "$backend"; then was_running=yes; fi
  systemctl --user --quiet disable "$PREFIX.target" 2>/dev/null || true
  # shellcheck disable=SC2046 # names of units have no spaces
  systemctl --user stop $("${backend}_units") ||
    die "the pod $PREFIX does not stop" "systemctl --user status '$PREFIX*' says what waits; then stop again."
  # What was started by hand, or left by a crash, is ended too.
  if podman pod exists "$PREFIX"; then podman pod rm --force --time 12 "$PREFIX" >/dev/null; fi
  if [[ -n "$was_running" ]]; then say "Stopped"; else say "Ai-semble is not running"; fi
}

pod_restart() {
  pod_stop "$1"
  pod_start "$1"
}

# pod_remove_units BACKEND
pod_remove_units() {
  local file
  while IFS= read -r file; do rm -f "$file"; done < <("$1_files")
  rmdir "$QUADLET_FOLDER" 2>/dev/null || true
  systemctl --user daemon-reload
}
