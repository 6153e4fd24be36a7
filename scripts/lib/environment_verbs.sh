# `deploy.sh env`: make, delete, rename, clone environments. Sourced by deploy.sh.
# shellcheck shell=bash
# shellcheck disable=SC2153 # pod.sh sets the names

ENV_HELP="./scripts/deploy.sh --help"
# What is asked of a new environment, by the names of the options.
declare -A ENV_WISH=()
# What it has beside its settings: `clone ENVIRONMENT` or `import FILE`.
ENV_CONTENT=()
# The same in words for a shell; `setup` when setup.sh makes it.
ENV_FROM=

# env_verb VERB [WORD...]
env_verb() {
  local verb="${1-}"
  shift || true
  case "$verb" in
    create | delete | clone | rename | export | import | complete) "env_$verb" "$@" ;;
    list) only_json "env list" "$@" && environment_list "$@" ;;
    '') die_usage "env needs a command" "./scripts/deploy.sh env list" ;;
    *) die_usage "env knows create, delete, clone, rename, export, import and list, not $verb" "$ENV_HELP" ;;
  esac
}

# env_choose NAME - the environment that the words below are about
env_choose() {
  [[ "${1-}" =~ ^[^-] ]] || die_usage "env needs the name of an environment" "Such as: ./scripts/deploy.sh env create research"
  environment_check_name "$1"
  pod_choose "$1"
}

# env_create NAME [--port N] [--memory SIZE] [--cpus N] [--gpu WHICH] [--models shared|private] [--from ENVIRONMENT]
env_create() {
  local from=default key backend ports=1
  env_choose "${1-}"
  shift
  while (($#)); do
    case "$1" in
      --port | --memory | --cpus | --gpu | --models | --from)
        (($# > 1)) || die_usage "$1 needs a value" "$ENV_HELP"
        ENV_WISH[${1#--}]="$2"
        shift
        ;;
      *) die_usage "env create does not know $1" "$ENV_HELP" ;;
    esac
    shift
  done
  env_check_wishes
  from="${ENV_WISH[from]-default}"
  backend=embedded
  if [[ "$CHOSEN" == embedded ]]; then ports=5; else backend="$(pod_backend)" || exit 1; fi
  exclusively "${WORDS[@]}"
  environment_read "$ENVIRONMENT"
  env_check_new
  if [[ "${DEFINITION[state]-}" == making ]]; then say "A creation of $ENVIRONMENT was interrupted; it is made now"; fi
  env_check_source "$backend" "$from"
  # Known by name from here on, so that whatever ends this leaves something that can be found and removed.
  while_choosing env_promise "$backend" "$ports"
  env_complete_or_undo "$from"
  say "Made the environment $ENVIRONMENT, on port ${DEFINITION[port]}. Start it: ./scripts/deploy.sh start --env $ENVIRONMENT$(env_flags)"
}

# env_check_new - die when there is something of this name that these words have not begun: what fails is removed
env_check_new() {
  local there start="./scripts/setup.sh --env $ENVIRONMENT"
  environment_check_renaming "$ENVIRONMENT"
  case "${DEFINITION[state]-}" in
    ready) die "there is an environment $ENVIRONMENT already" "Start it: ./scripts/deploy.sh start --env $ENVIRONMENT; or take another name." ;;
    making) [[ "${DEFINITION[from]-}" == "$ENV_FROM" ]] || environment_die_half_made ;;
    *)
      # A definition of which only a draft was written.
      rm -f "$CONFIG_FOLDER/environment.conf.new"
      rmdir "$CONFIG_FOLDER" 2>/dev/null || true
      there="$(env_belongings | pod_in_words)"
      if [[ "$CHOSEN" == embedded ]]; then start="./scripts/deploy.sh start --env $ENVIRONMENT --embedded"; fi
      [[ -z "$there" ]] || die "there is something of an environment $ENVIRONMENT already: $there" \
        "Use it: $start; or away with all of it: ./scripts/deploy.sh env delete $ENVIRONMENT"
      ;;
  esac
}

env_flags() { if [[ "${DEFINITION[backend]}" == embedded ]]; then echo " --embedded"; fi; }

# env_check_wishes - die when what is wished for cannot be
env_check_wishes() {
  local size="${ENV_WISH[memory]-8g}"
  [[ "$size" =~ ^[1-9][0-9]{0,6}[mgMG]$ ]] || die_usage "--memory needs a size, not $size" "Such as: --memory 8g, --memory 1536m"
  [[ "${ENV_WISH[cpus]-1}" =~ ^(0|[1-9][0-9]{0,3})(\.[0-9]{1,2})?$ && ! "${ENV_WISH[cpus]-1}" =~ ^[0.]+$ ]] ||
    die_usage "--cpus needs a number of processors, not ${ENV_WISH[cpus]}" "Such as: --cpus 4, --cpus 1.5"
  [[ "${ENV_WISH[gpu]-all}" =~ ^(all|none|[0-9]{1,3}|(GPU|MIG)-[0-9A-Fa-f-]{8,64})$ ]] ||
    die_usage "--gpu needs all, none, an index or a UUID, not ${ENV_WISH[gpu]}" "nvidia-smi -L prints the UUIDs."
  [[ "${ENV_WISH[models]-shared}" =~ ^(shared|private)$ ]] ||
    die_usage "--models needs shared or private, not ${ENV_WISH[models]}" "shared: the models of all; private: of its own, which ./scripts/deploy.sh models pull --env $ENVIRONMENT fetches."
  env_source_known "${ENV_WISH[from]-default}"
}

# env_check_source BACKEND FROM - die when there is nothing that it could be made of
env_check_source() {
  local name of=ai-semble
  if [[ "$1" == embedded ]]; then
    embedded_is_installed || die "the embedded mode is not set up for this user" "Set it up: ./scripts/setup.sh --embedded"
    return
  fi
  if is_named "$2"; then of="ai-semble-$2"; fi
  for name in "${IMAGES[@]}"; do
    podman image exists "localhost/$of/$name:latest" ||
      die "there are no images to make an environment of" "Make them: ./scripts/setup.sh"
  done
}

# env_promise BACKEND PORTS - choose what no other has, and write it down
env_promise() {
  local port="${ENV_WISH[port]-${DEFINITION[port]-}}" number="${DEFINITION[number]-}" key
  if [[ -n "$port" ]]; then check_port "$port" "$2"; else port="$(free_port "$2")" || exit 1; fi
  if [[ -z "$number" ]]; then number="$(free_number)"; fi
  environment_define making "$1" "$port" "$number"
  DEFINITION[from]="$ENV_FROM"
  for key in memory cpus gpu models; do
    # shellcheck disable=SC2004 # it is a word
    if [[ -n "${ENV_WISH[$key]-}" ]]; then DEFINITION[$key]="${ENV_WISH[$key]}"; fi
  done
  environment_write "$ENVIRONMENT"
}

# env_complete_or_undo FROM - make the rest; when that fails nothing is left. A process of its own, which ends when it fails
env_complete_or_undo() {
  local status=0 left
  trap : INT
  bash "$0" env complete "$ENVIRONMENT" "$1" ${ENV_CONTENT[@]+"${ENV_CONTENT[@]}"} || status=$?
  trap - INT
  if ((status)); then
    (env_remove) >/dev/null 2>&1 || true
    left="$(env_belongings | pod_in_words)"
    if [[ -z "$left" ]]; then
      say "Nothing is left of the environment $ENVIRONMENT"
    else
      say "Left of the environment $ENVIRONMENT: $left. Away with it: ./scripts/deploy.sh env delete $ENVIRONMENT"
    fi
    exit "$status"
  fi
  environment_read "$ENVIRONMENT"
}

# env_complete NAME FROM - what its units need, and the units; only what is defined, as `create` does
env_complete() {
  local backend from="$2"
  env_choose "${1-}"
  [[ "${AI_SEMBLE_LOCKED-}" == "$PREFIX" && "${DEFINITION[state]-}" == making ]] ||
    die_usage "env complete is for env create alone" "$ENV_HELP"
  backend="${DEFINITION[backend]}"
  environment_take_settings "$from"
  shift 2
  if [[ "$backend" == embedded ]]; then
    if (($#)); then env_fill "$@"; fi
    env_complete_embedded
  else
    env_name_images "$from"
    pod_write_config 2>/dev/null
    pod_make_secret "$backend"
    env_say_limits "$backend"
    env_make_volumes
    if (($#)); then env_fill "$@"; fi
    pod_install "$backend"
    pod_enable_linger
  fi
  env_check_settings "$backend"
  if [[ "${DEFINITION[models]}" == private && "${1-}" != clone ]]; then
    say "It has no models yet. Fetch them: ./scripts/deploy.sh models pull --env $ENVIRONMENT"
  fi
  environment_is_ready
}

# env_check_settings BACKEND - die when it would not start with them, or other machines would reach it, which only its owner
# may decide
env_check_settings() {
  local exposed
  if [[ "$1" == embedded ]]; then exposed="$(embedded_run config get expose.address)"; else exposed="$("$1_exposed")"; fi
  [[ -z "$exposed" ]] || die "by the settings that it is made of other machines would reach it ($exposed)" \
    "Take expose.address out of them; when it is made, set it in $CONFIG_FOLDER/ai-semble.toml."
}

# environment_is_ready - all of it is there
environment_is_ready() {
  is_named "$ENVIRONMENT" || return 0
  DEFINITION[state]=ready
  DEFINITION[from]=
  environment_write "$ENVIRONMENT"
}

# environment_prepare BACKEND - what setup.sh writes down of another environment than the default one
environment_prepare() {
  local port="${AI_SEMBLE_ORCHESTRATOR__PORT-}"
  is_named "$ENVIRONMENT" || return 0
  # From here on the variable would be taken for the default one's.
  unset AI_SEMBLE_ORCHESTRATOR__PORT
  if ((${#DEFINITION[@]} == 0)) && { quadlet_is_installed || kube_is_installed; }; then environment_adopt; fi
  environment_check_renaming "$ENVIRONMENT"
  if [[ "${DEFINITION[state]-}" != ready ]]; then
    environment_check_name "$ENVIRONMENT"
    ENV_FROM=setup
    [[ -z "${DEFINITION[state]-}" || "${DEFINITION[from]-}" == setup ]] || environment_die_half_made
    if [[ -n "$port" ]]; then ENV_WISH[port]="$port"; fi
    while_choosing env_promise "$1" 1
  elif [[ -n "$port" && "$port" != "${DEFINITION[port]}" ]]; then
    check_port "$port" 1
    DEFINITION[port]="$port"
    environment_write "$ENVIRONMENT"
  fi
  environment_take_settings default
}

# env_name_images FROM - those of another environment are its own, too, until one of them is updated
env_name_images() {
  local name of=ai-semble
  if is_named "$1"; then of="ai-semble-$1"; fi
  for name in "${IMAGES[@]}"; do podman tag "localhost/$of/$name:latest" "$(image "$name")"; done
}

# env_make_volumes - with the label that SELinux wants, before anything is written
env_make_volumes() {
  local name
  for name in "$POD_MODELS" "$PREFIX-data" "$PREFIX-state"; do
    podman volume exists "$name" || podman volume create "$name" >/dev/null
  done
  pod_label_volumes "$(has_selinux_module && echo all)"
}

# env_complete_embedded - its ports are settings, as no pod keeps them apart
env_complete_embedded() {
  local at="${DEFINITION[port]}" section file="$CONFIG_FOLDER/ai-semble.toml"
  if [[ "${DEFINITION[models]}" == private ]]; then
    die "the embedded mode has one folder of models for all environments" "Leave out --models private."
  fi
  if [[ -n "${DEFINITION[memory]-}${DEFINITION[cpus]-}" ]]; then
    say "Without effect: --memory and --cpus, as nothing limits the embedded mode's processes."
  fi
  mkdir -p "$CONFIG_FOLDER"
  touch "$file"
  for section in orchestrator llm vision nlp data; do
    set_port "$file" "$section" "$at"
    at=$((at + 1))
  done
}

# set_port FILE SECTION PORT - in a file of settings that may name the section, and the port
set_port() {
  awk -v section="[$2]" -v line="port = $3" '
    /^[ \t]*\[/ {
      name = $0
      sub(/#.*/, "", name)
      gsub(/[ \t]/, "", name)
      inside = (name == section)
      print
      if (inside) { print line; found = 1 }
      next
    }
    inside && /^[ \t]*port[ \t]*=/ { next }
    { print }
    END { if (!found) print section "\n" line }' "$1" >"$1.new"
  chmod 0644 "$1.new"
  mv "$1.new" "$1"
}

# env_say_limits BACKEND - what of the wishes this host cannot do, and how far its users reach
env_say_limits() {
  local limits missing=() key
  limits=",$(pod_limits),"
  if [[ -n "${DEFINITION[memory]-}" && "$limits" != *,memory,* ]]; then missing+=(memory); fi
  if [[ -n "${DEFINITION[cpus]-}" && "$limits" != *,cpu,* ]]; then missing+=(cpus); fi
  if ((${#missing[@]})); then
    say "Without effect: --${missing[*]/#/}, as their controllers are not delegated to you. sudo ./scripts/install-security.sh and a reboot change that."
  fi
  if [[ "${DEFINITION[gpu]}" != all && "${DEFINITION[gpu]}" != none && "$(gpu_state)" != usable ]]; then
    say "Without effect: --gpu ${DEFINITION[gpu]}, as containers can have no GPU here ($(gpu_state)); ./scripts/setup.sh --check says why."
  fi
  if [[ "$1" == kube ]]; then
    say "Podman 4 gives no users of its own to an environment; Podman 5 does."
  elif [[ "${DEFINITION[number]}" == 0 ]]; then
    say "It shares a user of the host with others: your $(subordinate_ids) subordinate ids have room for $(environments_that_fit) environments with users of their own."
  fi
}

# env_delete NAME [--yes] - all of it, also its data, settings and keys
env_delete() {
  local confirmed='' there lost
  [[ "${1-}" != default ]] || die_usage "the default environment is removed by uninstall" "./scripts/deploy.sh uninstall"
  env_choose "${1-}"
  shift
  while (($#)); do
    case "$1" in
      --yes) confirmed=yes ;;
      *) die_usage "env delete does not know $1" "$ENV_HELP" ;;
    esac
    shift
  done
  exclusively "${WORDS[@]}"
  environment_check_renaming "$ENVIRONMENT"
  environment_read "$ENVIRONMENT"
  there="$(env_belongings)"
  [[ -n "$there" ]] || die "there is no environment $ENVIRONMENT" "Those that are there: ./scripts/deploy.sh list"
  lost="its datasets and jobs ($(env_size)), API keys and settings"
  if [[ "${DEFINITION[models]-}" == private ]]; then lost+=", and its models"; fi
  ask "$confirmed" "Delete the environment $ENVIRONMENT? Lost for good: $lost."
  env_remove
  there="$(env_belongings)"
  [[ -z "$there" ]] || die "$(pod_in_words <<<"$there") could not be removed" "The lines above say why; then run it again."
  say "Deleted the environment $ENVIRONMENT: $lost"
}

# env_size - of its volumes or folders, for people
env_size() {
  local folders as_root=()
  mapfile -t folders < <(env_folders)
  if ((${#folders[@]} == 0)); then
    echo 0 MB
    return
  fi
  # What containers wrote is another user's.
  if [[ "${DEFINITION[backend]-}" != embedded ]]; then as_root=(podman unshare); fi
  { ${as_root[@]+"${as_root[@]}"} du -sk --total "${folders[@]}" 2>/dev/null || true; } | awk 'END { printf "%.0f MB\n", $1 / 1000 }'
}

# env_folders - where its datasets and jobs lie
env_folders() {
  local name
  for name in data state; do podman volume inspect --format '{{.Mountpoint}}' "$PREFIX-$name" 2>/dev/null || true; done
  for name in "$(data_home)/environments/$ENVIRONMENT" "$POD_STATE"; do if [[ -d "$name" ]]; then echo "$name"; fi; done
}

# env_belongings - a line `KIND NAME` for all that is there of it
env_belongings() {
  local folder
  if command -v podman >/dev/null 2>&1; then pod_belongings data; fi
  for folder in "$CONFIG_FOLDER" "$POD_STATE" "$(data_home)/environments/$ENVIRONMENT"; do
    if [[ -d "$folder" ]]; then echo "folder $folder"; fi
  done
}

# env_remove - nothing is left of it
env_remove() {
  if [[ "${DEFINITION[backend]-}" == embedded ]]; then
    if embedded_is_installed; then embedded_run embedded down >/dev/null 2>&1 || true; fi
    [[ "$(list_embedded_state "$ENVIRONMENT")" != running ]] ||
      die "the environment $ENVIRONMENT does not stop" "./scripts/deploy.sh stop --env $ENVIRONMENT says why; then run it again."
  fi
  # One whose creation was interrupted may have been begun as a pod.
  if command -v podman >/dev/null 2>&1 && [[ "${DEFINITION[backend]-}" != embedded || -n "$(pod_belongings data)" ]]; then
    pod_take_away data
  fi
  # The definition goes last: what was begun can be ended.
  rm -rf "$(data_home)/environments/$ENVIRONMENT" "$POD_STATE"
  rm -rf "$CONFIG_FOLDER"
}
