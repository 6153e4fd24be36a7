# Environments beside the default one: their names, and what is written down of each. Sourced by deploy.sh and setup.sh.
# The definition of one is a file of lines `key=value`: state (making or ready), from (the words after `env` that have begun it), backend, port, number (which users of the host
# are its own), memory, cpus, gpu, models (shared or private), created, owner. docs/adr/0025 says why it is like this.
# shellcheck shell=bash

ENVIRONMENT_KEYS=(state from backend port number memory cpus gpu models created owner)
# What is written down of the environment that is meant; nothing of the default one.
declare -A DEFINITION=()

# is_named NAME - whether it is one beside the default one; the development pod shares more with that
is_named() { [[ "$1" != default && "$1" != dev ]]; }

# environment_file NAME - its definition
environment_file() {
  if is_named "$1"; then echo "$CONFIG_HOME/ai-semble-$1/environment.conf"; else echo "$CONFIG_HOME/ai-semble/environment.conf"; fi
}

# environment_read NAME - set DEFINITION
environment_read() {
  local file key value
  DEFINITION=()
  is_named "$1" || return 0
  file="$CONFIG_HOME/ai-semble-$1/environment.conf"
  [[ -r "$file" ]] || return 0
  while IFS='=' read -r key value; do
    if [[ "$key" =~ ^[a-z]+$ ]]; then DEFINITION[$key]="$value"; fi
  done <"$file"
}

# environment_define STATE BACKEND PORT NUMBER - set DEFINITION to a new one, without limits
environment_define() {
  DEFINITION=([state]="$1" [backend]="$2" [port]="$3" [number]="$4" [gpu]=all [models]=shared)
  DEFINITION[created]="$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  DEFINITION[owner]="$(id -un)"
}

# environment_write NAME - keep DEFINITION, whole at any moment
environment_write() {
  local file key
  file="$(environment_file "$1")"
  mkdir -p "$(dirname "$file")"
  # The containers' user is another one than ours.
  chmod 0755 "$(dirname "$file")"
  {
    echo "# What was said when this environment was made. Its settings are in ai-semble.toml."
    for key in "${ENVIRONMENT_KEYS[@]}"; do echo "$key=${DEFINITION[$key]-}"; done
  } >"$file.new"
  mv "$file.new" "$file"
}

# environment_names - those that are defined, without the default one
environment_names() {
  local file name
  for file in "$CONFIG_HOME"/ai-semble-*/environment.conf; do
    [[ -e "$file" ]] || continue
    name="${file%/environment.conf}"
    echo "${name##*/ai-semble-}"
  done
}

# environment_wishes - what the units of this environment are made of, beside its settings; nothing for the default one
environment_wishes() {
  local key
  ((${#DEFINITION[@]})) || return 0
  for key in port number memory cpus gpu models; do echo "$key=${DEFINITION[$key]-}"; done
}

# environment_options - the same for `units render`, a line each
environment_options() {
  local key
  ((${#DEFINITION[@]})) || return 0
  for key in number memory cpus; do
    if [[ -n "${DEFINITION[$key]-}" ]]; then printf '%s\n' "--$key" "${DEFINITION[$key]}"; fi
  done
  printf '%s\n' --gpus "${DEFINITION[gpu]:-all}"
  if [[ "${DEFINITION[models]-}" == private ]]; then echo --private-models; fi
}

# environment_words - what a command about this environment has more than one about the default one
environment_words() { if is_named "$ENVIRONMENT"; then echo " --env $ENVIRONMENT"; fi; }

# environment_check_name NAME - die when a new environment cannot have this name
environment_check_name() {
  local name="$1" hint="Lower-case letters, digits and single hyphens, a letter first, at most 32: such as research, lab-2."
  [[ "$name" =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ && ${#name} -le 32 ]] || die_usage "no environment can be called ${name:-nothing}" "$hint"
  case "$name" in
    default | dev | embedded | builds | private) die_usage "the name $name is taken for another purpose" "Take another one, as ${name}s." ;;
  esac
  # The pod of an environment `llm` would have the name of a container of the default one, and so on.
  [[ ! "$name" =~ (^|-)(orchestrator|llm|vision|nlp|data|processor|shell|probe|inside|infra|pod|network|volume|models|state|token|healthy|workspace|tmp|home)$ ]] ||
    die_usage "the environment's name is $name, which ends as a part of an environment does" "Take another name, as ${name}s."
}

# environment_needed - die when the environment that is meant was never made
environment_needed() {
  if ! is_named "$ENVIRONMENT"; then return 0; fi
  environment_check_renaming "$ENVIRONMENT"
  if [[ "${DEFINITION[state]-}" == making ]]; then environment_die_half_made; fi
  if ((${#DEFINITION[@]})); then return 0; fi
  if quadlet_is_installed || kube_is_installed; then
    environment_adopt
    return
  fi
  # By variables alone, as before there were definitions: those say its ports, too.
  if [[ -z "${NAMED-}" ]] && { [[ "${CHOSEN-}" == embedded ]] || embedded_is_installed; }; then return; fi
  die "there is no environment $ENVIRONMENT" "Make it: ./scripts/deploy.sh env create $ENVIRONMENT; those that are there: ./scripts/deploy.sh list"
}

# environment_die_half_made - say what finishes the one that is meant. Other words would make something else of what is there
environment_die_half_made() {
  local finish
  finish="./scripts/deploy.sh env ${DEFINITION[from]:-create} $ENVIRONMENT$(env_flags)"
  if [[ "${DEFINITION[from]-}" == setup ]]; then finish="./scripts/setup.sh --env $ENVIRONMENT"; fi
  die "the environment $ENVIRONMENT is not made yet, or its creation was interrupted" \
    "Finish it: $finish; or: ./scripts/deploy.sh env delete $ENVIRONMENT"
}

# environment_check_renaming NAME - die while a part of it has its old name, and a part its new one
environment_check_renaming() {
  local old new="$1"
  old="$(sed -n 's/^from=rename //p' "$(environment_file "$1")" 2>/dev/null || true)"
  if [[ -z "$old" ]]; then
    old="$1" new="$(environment_names_with "from=rename $1")"
    if [[ -z "$new" ]]; then return; fi
  fi
  die "the environment $old was being renamed to $new, which was interrupted" "Finish it: ./scripts/deploy.sh env rename $old $new"
}

# environment_names_with LINE - those that have this line in their definitions
environment_names_with() {
  local name
  for name in $(environment_names); do if grep -qsxF "$1" "$(environment_file "$name")"; then echo "$name"; fi; done
}

# environment_may_be BACKEND - whether it is one of this backend; the packages of the embedded mode are there for all
environment_may_be() {
  if ((${#DEFINITION[@]} == 0)); then return 0; fi
  case "$1" in
    embedded) [[ "${DEFINITION[backend]-}" == embedded ]] ;;
    *) [[ "${DEFINITION[backend]-}" != embedded ]] ;;
  esac
}

# environment_adopt - write down one from before there were definitions; it keeps its port, users and settings
environment_adopt() {
  local backend=kube name
  if quadlet_is_installed; then backend=quadlet; fi
  environment_define ready "$backend" "$("${backend}_port")" 0
  environment_take_settings default
  for name in "${IMAGES[@]}"; do
    if ! podman image exists "$(image "$name")"; then podman tag "localhost/ai-semble/$name:latest" "$(image "$name")" || true; fi
  done
  environment_write "$ENVIRONMENT"
}

# environment_take_settings FROM - the settings of another one, where there are none yet. Two cannot be reached from other
# machines at the same port, so that is switched off
environment_take_settings() {
  if is_named "$1"; then
    environment_take_settings_file "$CONFIG_HOME/ai-semble-$1/ai-semble.toml"
  else
    environment_take_settings_file "$CONFIG_HOME/ai-semble/ai-semble.toml"
  fi
}

environment_take_settings_file() {
  local from="$1" to="$CONFIG_FOLDER/ai-semble.toml"
  if [[ -e "$to" || ! -e "$from" ]]; then return; fi
  mkdir -p "$CONFIG_FOLDER"
  chmod 0755 "$CONFIG_FOLDER"
  sed -E '/^\s*\[\s*expose\s*\]/,/^\s*\[/ s/^\s*"?(address|port)"?\s*=/# &/; s/^\s*expose\s*[.=]/# &/' "$from" >"$to.new"
  chmod 0644 "$to.new"
  mv "$to.new" "$to"
  if ! cmp --silent "$from" "$to"; then say "Not taken over: expose.address, since two cannot have one port ($to)"; fi
}
