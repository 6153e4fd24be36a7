# `deploy.sh env` clone, rename, export, import: what an environment keeps, in another place. Sourced by deploy.sh.
# An exported environment is a tar file: a manifest of lines `key=value`, its settings, and the folders data and state (jobs,
# workflows), and models when asked. Keys, certificate and token are no part of it unless asked, and of no clone.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2034 # pod.sh sets the names; environment_verbs.sh reads them

COPY_ROOT=ai-semble-environment
COPY_FORMAT=1
# In the folder of the state.
COPY_SECRETS=(keys.sqlite keys.sqlite-wal keys.sqlite-shm certificate.pem service.token)
# What only a running environment has a use for.
COPY_PASSING=(run tmp logs)

# env_clone FROM NAME [OPTION...] - with the settings, data and jobs of another, and the options of `create`
env_clone() {
  local from="${1-}" name="${2-}" key
  [[ -n "$from" && -n "$name" && "$name" != -* ]] || die_usage "env clone needs two names" "Such as: ./scripts/deploy.sh env clone research lab"
  shift 2
  env_source_known "$from"
  # Its limits, where none are said.
  environment_read "$from"
  for key in memory cpus gpu models; do
    if [[ -n "${DEFINITION[$key]-}" ]]; then set -- "--$key" "${DEFINITION[$key]}" "$@"; fi
  done
  if [[ "${DEFINITION[backend]-}" == embedded ]]; then CHOSEN=embedded; fi
  [[ "$CHOSEN" != embedded || "${DEFINITION[backend]-embedded}" == embedded ]] ||
    die_usage "a clone is of the same kind as what it is made of" "From a pod to processes: env export, then env import --embedded."
  ENV_CONTENT=(clone "$from")
  env_create "$name" --from "$from" "$@"
}

# env_rename OLD NEW - the same environment by another name; its port, keys, data and settings stay
env_rename() {
  local old="${1-}" new="${2-}" lock
  [[ $# == 2 ]] || die_usage "env rename needs two names" "Such as: ./scripts/deploy.sh env rename lab research"
  is_named "$old" || die_usage "the environment $old keeps its name" "A copy by another name: ./scripts/deploy.sh env clone $old $new"
  env_source_known "$old"
  env_choose "$new"
  exclusively "${WORDS[@]}"
  environment_read "$new"
  [[ "${DEFINITION[state]:-making}" == making && "${DEFINITION[from]:-$old}" == "$old" ]] ||
    die "there is an environment $new already" "Take another name; ./scripts/deploy.sh list shows them."
  env_hold "$old" lock
  environment_read "$old"
  DEFINITION[state]=making
  # Interrupted, the same command goes on.
  DEFINITION[from]="$old"
  environment_write "$new"
  pod_choose "$new"
  cp -p "$CONFIG_HOME/ai-semble-$old/ai-semble.toml" "$CONFIG_FOLDER/ai-semble.toml"
  if [[ "${DEFINITION[backend]}" == embedded ]]; then
    env_move "$old"
  else
    env_name_images "$old"
    pod_make_secret "${DEFINITION[backend]}"
    env_make_volumes
    env_move "$old"
    pod_install "${DEFINITION[backend]}"
  fi
  DEFINITION[from]=
  environment_is_ready
  (pod_choose "$old" && env_remove >/dev/null)
  exec {lock}>&-
  say "Renamed the environment $old to $new. Start it: ./scripts/deploy.sh start --env $new$(env_flags)"
}

# env_export NAME FILE [--with-secrets] [--with-models]
env_export() {
  local name="${1-}" file="${2-}" secrets='' models='' folder lock kind
  [[ -n "$name" && -n "$file" && "$file" != -* ]] || die_usage "env export needs a name and a file" "Such as: ./scripts/deploy.sh env export research research.tar"
  shift 2
  while (($#)); do
    case "$1" in
      --with-secrets) secrets=yes ;;
      --with-models) models=yes ;;
      *) die_usage "env export does not know $1" "$ENV_HELP" ;;
    esac
    shift
  done
  env_source_known "$name"
  pod_choose "$name"
  if ! is_named "$name" && ! quadlet_is_installed && ! kube_is_installed && embedded_is_installed; then DEFINITION[backend]=embedded; fi
  [[ ! -e "$file" ]] || die "$file is there already" "Take another name, or remove it."
  env_hold "$name" lock
  folder="$(mktemp -d)"
  # shellcheck disable=SC2064 # the names of now
  trap "rm -rf '$folder' '$file.new'" EXIT
  mkdir -p "$folder/$COPY_ROOT/settings"
  {
    printf 'format=%s\nname=%s\n' "$COPY_FORMAT" "$name"
    for kind in memory cpus gpu; do printf '%s=%s\n' "$kind" "${DEFINITION[$kind]-}"; done
  } >"$folder/$COPY_ROOT/manifest"
  if [[ -e "$CONFIG_FOLDER/ai-semble.toml" ]]; then cp "$CONFIG_FOLDER/ai-semble.toml" "$folder/$COPY_ROOT/settings/"; fi
  (umask 077 && tar --create --file "$file.new" --directory "$folder" "$COPY_ROOT") ||
    die "$file could not be written" "The lines above say why."
  for kind in data state; do env_pack "$(env_place "$name" "$kind")" "$kind" "$file.new" "$secrets"; done
  if [[ -n "$models" ]]; then env_pack "$(env_models)" models "$file.new" ''; fi
  mv "$file.new" "$file"
  exec {lock}>&-
  say "Exported $name to $file, $(stat --format %s "$file" | awk '{ printf "%.1f MB", $1 / 1e6 }')${secrets:+; it holds keys: keep it secret}"
}

# env_pack PLACE KIND FILE SECRETS - add a folder to the archive
env_pack() {
  local place="$1" kind="$2" file="$3" options=(--anchored) name
  env_as_owner test -d "$place" || return 0
  for name in "${COPY_PASSING[@]}"; do options+=(--exclude="$(basename "$place")/$name"); done
  if [[ -z "$4" ]]; then for name in "${COPY_SECRETS[@]}"; do options+=(--exclude="$(basename "$place")/$name"); done; fi
  env_as_owner tar --append --file "$file" --directory "$(dirname "$place")" --owner 0 --group 0 --numeric-owner "${options[@]}" \
    --transform "s,^$(basename "$place"),$COPY_ROOT/$kind,S" "$(basename "$place")" ||
    die "$place could not be read, or $file not be written" "The lines above say why."
}

# env_import FILE [NAME] [OPTION...] - a new environment of what was exported, here or on another machine
env_import() {
  local file="${1-}" name='' key value
  local -A manifest=()
  [[ -n "$file" ]] || die_usage "env import needs a file" "Such as: ./scripts/deploy.sh env import research.tar"
  shift
  if [[ -n "${1-}" && "$1" != -* ]]; then
    name="$1"
    shift
  fi
  [[ -r "$file" ]] || die "$file cannot be read" "Name a file that env export has written."
  env_check_archive "$file"
  while IFS='=' read -r key value; do
    if [[ "$key" =~ ^[a-z]+$ ]]; then manifest[$key]="$value"; fi
  done < <(tar --extract --to-stdout --file "$file" "$COPY_ROOT/manifest" 2>/dev/null || true)
  [[ "${manifest[format]-}" == "$COPY_FORMAT" ]] ||
    die "$file is of a format that this version does not know (${manifest[format]:-none})" "Export it with this version, or import it with the newer one."
  name="${name:-${manifest[name]-}}"
  [[ "$name" != default ]] || die_usage "the exported environment is a default one, which is there or made by setup.sh" "Give it a name: ./scripts/deploy.sh env import $file NAME"
  for key in memory cpus; do
    if [[ -n "${manifest[$key]-}" ]]; then set -- "--$key" "${manifest[$key]}" "$@"; fi
  done
  ENV_CONTENT=(import "$file")
  env_create "$name" "$@"
  say "Its settings are those of the file: look at $CONFIG_FOLDER/ai-semble.toml before you start it."
}

# env_check_archive FILE - die unless it has only files and folders, all in their places
env_check_archive() {
  local listing strange
  listing="$(tar --list --verbose --file "$1" 2>/dev/null)" || die "$1 is no tar file, or it is damaged" "Copy it again; env export writes such files."
  # A link could lead what follows it to another place.
  strange="$(awk '!/^[-d]/ { print; exit }' <<<"$listing")"
  strange+="$(tar --list --absolute-names --file "$1" | grep -vxE "$COPY_ROOT/?|$COPY_ROOT/(manifest|(settings|data|state|models)(/.*)?)" | head -n 1 || true)"
  strange+="$(tar --list --absolute-names --file "$1" | grep -E '(^|/)\.\.(/|$)' | head -n 1 || true)"
  [[ -z "$strange" ]] || die "$1 holds what no exported environment does: $strange" "Do not trust it. env export writes only files and folders."
}

# env_fill KIND WHAT - what a new environment has beside its settings, before anything of it runs
env_fill() {
  case "$1" in
    clone) env_copy "$2" ;;
    import) env_unpack "$2" ;;
  esac
}

# env_copy FROM - its data and jobs, without what opens it
env_copy() {
  local lock kind from to
  env_hold "$1" lock
  for kind in data state; do
    from="$(env_place "$1" "$kind")" to="$(env_place "$ENVIRONMENT" "$kind")"
    env_as_owner test -d "$from" || continue
    # shellcheck disable=SC2016 # its variables are its own
    env_as_owner bash -euc '
      from="$1" to="$2"; shift 2
      mkdir -p "$to"
      cp --archive --reflink=auto "$from/." "$to"
      cd "$to"
      rm -rf -- "$@"' - "$from" "$to" "${COPY_SECRETS[@]}" "${COPY_PASSING[@]}" ||
      die "the data of $1 could not be copied" "Free some disk space if it is full."
  done
  if [[ "${DEFINITION[models]}" == private && "${DEFINITION[backend]}" != embedded ]]; then
    from="$(pod_choose "$1" && env_models)" to="$(env_models)"
    env_as_owner cp --archive --reflink=auto "$from/." "$to"
  fi
  exec {lock}>&-
}

# env_unpack FILE - the folders of an archive that was checked
env_unpack() {
  local kind to
  for kind in data state models; do
    tar --list --file "$1" "$COPY_ROOT/$kind" >/dev/null 2>&1 || continue
    if [[ "$kind" == models ]]; then
      # Those of others are not overwritten by what a file holds.
      if [[ "${DEFINITION[models]}" != private ]]; then
        say "Its models are left out, as the environment shares those of all; with --models private they are taken"
        continue
      fi
      to="$(env_models)"
    else
      to="$(env_place "$ENVIRONMENT" "$kind")"
    fi
    env_as_owner mkdir -p "$to"
    env_as_owner tar --extract --file "$1" --directory "$to" --no-same-owner --strip-components 2 "$COPY_ROOT/$kind" ||
      die "$1 could not be unpacked" "Free some disk space if it is full."
  done
  if tar --extract --to-stdout --file "$1" "$COPY_ROOT/settings/ai-semble.toml" >"$CONFIG_FOLDER/imported.toml" 2>/dev/null; then
    rm -f "$CONFIG_FOLDER/ai-semble.toml"
    environment_take_settings_file "$CONFIG_FOLDER/imported.toml"
  fi
  rm -f "$CONFIG_FOLDER/imported.toml"
}

# env_move OLD - its folders take the place of empty ones
env_move() {
  local kind from to
  for kind in data state models; do
    if [[ "$kind" != models ]]; then
      from="$(env_place "$1" "$kind")" to="$(env_place "$ENVIRONMENT" "$kind")"
    elif [[ "${DEFINITION[models]}" == private && "${DEFINITION[backend]}" != embedded ]]; then
      from="$(pod_choose "$1" && env_models)" to="$(env_models)"
    else
      continue
    fi
    # shellcheck disable=SC2016 # its variables are its own
    env_as_owner bash -euc '
      [ -d "$1" ] || exit 0
      mkdir -p "$2"
      find "$1" -mindepth 1 -maxdepth 1 -exec mv --target-directory="$2" {} +' - "$from" "$to" ||
      die "the $kind of $1 could not be moved" "Mend what stands above, then run it again: it goes on."
  done
}

# env_place NAME data|state - where it keeps this
env_place() {
  local volume=ai-semble folder
  if [[ "${DEFINITION[backend]-}" == embedded ]]; then
    if [[ "$2" == data ]]; then echo "$(data_home)/environments/$1"; else echo "${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/$1"; fi
    return
  fi
  if is_named "$1"; then volume="ai-semble-$1"; fi
  folder="$(podman volume inspect --format '{{.Mountpoint}}' "$volume-$2" 2>/dev/null)" || folder=/nonexistent
  # As in ai_semble/paths.py.
  if [[ "$2" == data ]]; then echo "$folder/ai-semble/environments/$1"; else echo "$folder/ai-semble/$1"; fi
}

# env_models - where the models of the environment that is meant lie
env_models() {
  if [[ "${DEFINITION[backend]-}" == embedded ]]; then
    echo "$(data_home)/models"
  else
    podman volume inspect --format '{{.Mountpoint}}' "$POD_MODELS" 2>/dev/null || echo /nonexistent
  fi
}

# env_as_owner COMMAND... - what containers wrote is another user's
env_as_owner() { if [[ "${DEFINITION[backend]-}" == embedded ]]; then "$@"; else podman unshare "$@"; fi; }

# env_source_known NAME - die when it is not there
env_source_known() {
  if [[ "$1" == default ]] || { [[ "$1" != dev ]] && grep -qsx 'state=ready' "$(environment_file "$1")"; }; then return; fi
  die "there is no environment $1" "Those that are there: ./scripts/deploy.sh list"
}

# env_hold NAME VARIABLE - keep others from starting it until the descriptor in VARIABLE is closed; die when it runs
env_hold() {
  local of=ai-semble
  if is_named "$1"; then of="ai-semble-$1"; fi
  exec {HELD}>"${XDG_RUNTIME_DIR:-$HOME}/$of.lock"
  # Another command holds it for this one when it is about the same environment.
  [[ "${AI_SEMBLE_LOCKED-}" == "$of" ]] || flock --nonblock "$HELD" ||
    die "another command is at work on the environment $1" "Wait until it has ended, then run this again."
  printf -v "$2" '%s' "$HELD"
  (
    pod_choose "$1"
    if ! is_named "$1" || [[ "${DEFINITION[backend]-}" == embedded ]]; then
      ! { environment_may_be embedded && embedded_is_running; }
    fi && ! quadlet_is_running && ! kube_is_running
  ) || die "the environment $1 runs, and its files change while it does" "First: ./scripts/deploy.sh stop$(if is_named "$1"; then echo " --env $1"; fi)"
}
