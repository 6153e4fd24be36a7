# What the backends quadlet and kube share: the pod's names, its images as tools, its lock. Sourced.
# A backend adds NAME_is_installed, NAME_units (what is started and stopped), NAME_unit_of SERVICE, NAME_place FILE
# (where a rendered file belongs), NAME_files (names that this environment may have), NAME_port, NAME_exposed [FOLDER] (where
# other machines reach it, if they do), NAME_make_secret, NAME_prepare (what a start expects to be there), NAME_made (units
# that a stop leaves active), and NAME_unready (the services that are not healthy yet).
# shellcheck shell=bash
# shellcheck disable=SC2034 # names for the files that are sourced beside this one

POD_SERVICES=("${IMAGES[@]:1}")
# Inside the pod, as ai_semble/topology.py has them.
declare -A POD_PORTS=([orchestrator]=8080 [llm]=8081 [vision]=8082 [nlp]=8083 ["data-processor"]=8084)
# Long enough for a cold disk and a large model.
POD_START_LIMIT_S="${AI_SEMBLE_START_LIMIT_S:-300}"
# Deaths in one start after which waiting longer is of no use.
POD_TOO_MANY_RESTARTS=4

CONFIG_HOME="$(config_home)"

# pod_choose ENVIRONMENT - which environment the names below are about
pod_choose() {
  ENVIRONMENT="$1"
  [[ "$ENVIRONMENT" =~ ^[a-z][a-z0-9-]{0,31}$ ]] ||
    die_usage "the environment's name is $ENVIRONMENT" "Use lower-case letters, digits and hyphens."
  PREFIX=ai-semble
  if [[ "$ENVIRONMENT" != default ]]; then PREFIX="ai-semble-$ENVIRONMENT"; fi
  QUADLET_FOLDER="$CONFIG_HOME/containers/systemd/ai-semble"
  KUBE_FOLDER="$CONFIG_HOME/containers/ai-semble"
  SECCOMP_FOLDER="$KUBE_FOLDER/seccomp"
  UNIT_FOLDER="$CONFIG_HOME/systemd/user"
  POD_STATE="${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/$ENVIRONMENT"
  # What the development pod shares with the default environment; each other one has its own.
  IMAGES_OF=ai-semble
  if is_named "$ENVIRONMENT"; then
    IMAGES_OF="$PREFIX"
    SECCOMP_FOLDER+="-$ENVIRONMENT"
  fi
  CONFIG_FOLDER="$CONFIG_HOME/$IMAGES_OF"
  POD_BASE="localhost/$IMAGES_OF/base:latest"
  # Who changes one environment waits for nobody who changes another.
  POD_LOCK="${XDG_RUNTIME_DIR:-$HOME}/$IMAGES_OF.lock"
  environment_read "$ENVIRONMENT"
  POD_MODELS=ai-semble-models
  if [[ "${DEFINITION[models]-}" == private ]]; then POD_MODELS="$PREFIX-models"; fi
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

# pod_words WORD... - `ai-semble pod WORD...` in the base image, which makes words of facts; for the terminal that is there
pod_words() {
  local options=(--network none) complaints status=0
  if [[ -t 1 ]]; then
    options+=(--env "COLUMNS=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2 || echo 80)")
    if [[ -z "${NO_COLOR-}" ]]; then options+=(--env FORCE_COLOR=1); fi
  fi
  complaints="$(mktemp)"
  in_image "$POD_BASE" "${options[@]}" -- python -P -m ai_semble.pod "$@" 2>"$complaints" || status=$?
  # Podman calls it an error when the reader (as `head`) has seen enough.
  if grep -q 'broken pipe' "$complaints"; then status=0; else cat "$complaints" >&2; fi
  rm -f "$complaints"
  return "$status"
}

# journal_lines OPTION... - what the services said, as ai_semble/pod/facts.py reads it
journal_lines() {
  journalctl --user --quiet --all --output json --output-fields MESSAGE,CONTAINER_NAME,CONTAINER_PARTIAL_MESSAGE "$@"
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
  command -v flock >/dev/null 2>&1 || die "flock is not installed" "Install util-linux; it keeps two starts apart."
  export AI_SEMBLE_LOCKED="$PREFIX"
  local lock
  exec {lock}>"$POD_LOCK"
  if ! flock --nonblock "$lock"; then
    say "Another setup, start, stop or update is at work; waiting for it"
    flock "$lock"
  fi
  # Interrupted, the work itself says what it does about it; the lock is kept, and the prompt waits, until then.
  trap : INT
  # Without the descriptor: what Podman leaves running must not keep the lock.
  bash "$0" "$@" {lock}>&- || exit
  exit 0
}

pod_images_exist() {
  local name
  for name in "${IMAGES[@]}"; do
    podman image exists "$(image "$name")" || return 1
  done
}

pod_needs_images() {
  pod_images_exist || die "Ai-semble is not set up: images are missing" "Make them: ./scripts/setup.sh"
}

pod_containers() { printf "$PREFIX-%s\n" "${POD_SERVICES[@]}"; }

# pod_limits - the controllers that this user's containers can be limited with, as `units render` wants them
pod_limits() {
  local controller found=()
  for controller in $(delegated_controllers); do
    case "$controller" in
      cpu | memory | pids) found+=("$controller") ;;
      # Of containers nothing is limited by it, and images from before there were slices do not know it.
      io) if is_named "$ENVIRONMENT"; then found+=("$controller"); fi ;;
    esac
  done
  if ((${#found[@]} == 0)); then
    echo none
  else
    local IFS=,
    echo "${found[*]}"
  fi
}

# pod_installed BACKEND - the files of this environment that are there
pod_installed() {
  local name file
  for name in $("$1_files"); do
    file="$("$1_place" "$name")"
    if [[ -e "$file" ]]; then echo "$file"; fi
  done
}
