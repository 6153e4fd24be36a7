#!/usr/bin/env bash
# Run Ai-semble on this machine.
#
# Usage: ./scripts/deploy.sh COMMAND [OPTIONS]
#
#   start                      start the pod, wait until it is healthy, and show what to try
#   start --embedded           the same without Podman, as processes of yours that nothing isolates
#   start --dev                the development pod beside the normal one: your source, reloaded on change
#   stop                       stop it
#   restart                    stop, then start
#   status [--json]            each service: state, health, memory, model; what is wrong and what to do
#   health [--json]            the whole in one word, and each service
#   logs [--follow] [--json] [--lines N] [--since TIME] [--request ID] [--action NAME] [--level LEVEL] [SERVICE]
#                              what the services say; all of them without SERVICE
#   update [--from PREFIX[:TAG]] [--timeout SECONDS]
#                              build the present version, or take images made elsewhere, and switch to it service
#                              by service; when one is sick, all are put back
#   update --rollback          back to the images before the last update; again, and forward
#   models list|pull|verify|remove [...]
#                              the models on this machine
#   keys create|list|revoke|rotate [...]
#                              the API keys of the environment
#   certificate install CERTIFICATE KEY | show | remove
#                              the certificate with which other machines are met, in PEM; `-` is standard input
#   list [--json]              your environments: state, port, services, memory, processors, disk, limits
#   env create NAME [--port N] [--memory SIZE] [--cpus N] [--gpu none|all|INDEX|UUID] [--models shared|private]
#       [--from ENVIRONMENT]   another environment beside the default one, with its own pod, network, data, keys and settings
#   env delete NAME [--yes]    all of it, with its data
#   env clone FROM NAME [...]  another one with the settings, data and jobs of one, but without its keys; options as for create
#   env rename OLD NEW         the same one by another name
#   env export NAME FILE [--with-secrets] [--with-models]
#                              settings, data and jobs in one file
#   env import FILE [NAME] [...]
#                              another one of such a file; options as for create
#   uninstall [--yes] [--data] remove what was installed; data and models only with --data
#
# With --env NAME any command is about that environment; without, about the default one.
# With --dev or --embedded it is about the development pod or the embedded mode; without, about what runs.
# Services: orchestrator llm vision nlp data-processor
# Variables: AI_SEMBLE_ORCHESTRATOR__PORT for another port than 8080 (the pod's is fixed by setup.sh);
#   embedded: AI_SEMBLE_<SECTION>__<KEY> for every key of configs/ai-semble.toml, AI_SEMBLE_PYTHON for the interpreter.
# Exit status: 0 ok, 1 failed or not well, 2 wrong usage.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/backends.sh
source "$CHECKOUT/scripts/lib/backends.sh"

HELP="./scripts/deploy.sh --help"
WORDS=("$@")
CHOSEN=
NAMED=
OPTIONS=()

main() {
  local verb="${1-}"
  shift || true
  choose "$@"
  set -- ${OPTIONS[@]+"${OPTIONS[@]}"}
  case "$verb" in
    '' | list | env | uninstall | --help | -h | help) ;;
    *) environment_needed ;;
  esac
  case "$verb" in
    start) no_options start "$@" && start ;;
    stop | restart) no_options "$verb" "$@" && act_alone "$verb" ;;
    status | health) only_json "$verb" "$@" && act "$verb" "$@" ;;
    logs) act logs "$@" ;;
    models) models "$@" ;;
    keys) keys "$@" ;;
    certificate) certificate "$@" ;;
    update) act_alone update "$@" ;;
    list) only_json list "$@" && environment_list "$@" ;;
    env) env_verb "$@" ;;
    uninstall) uninstall "$@" ;;
    --help | -h | help) usage ;;
    '') die_usage "there is no command" "$HELP" ;;
    *) die_usage "unknown command $verb" "$HELP" ;;
  esac
}

# choose OPTION... - take out what says which environment is meant; the rest is the command's
choose() {
  local option wanted=''
  for option in "$@"; do
    if [[ -n "$wanted" ]]; then
      choose_environment "$option"
      wanted=''
      continue
    fi
    case "$option" in
      --env) wanted=yes ;;
      --env=*) choose_environment "${option#--env=}" ;;
      --dev | --embedded)
        [[ -z "$CHOSEN" || "--$CHOSEN" == "$option" ]] || die_usage "--dev and --embedded exclude each other" "$HELP"
        CHOSEN="${option#--}"
        if [[ "$CHOSEN" == dev ]]; then pod_choose dev; fi
        ;;
      --help | -h)
        usage
        exit
        ;;
      *) OPTIONS+=("$option") ;;
    esac
  done
  [[ -z "$wanted" ]] || die_usage "--env needs the name of an environment" "./scripts/deploy.sh list"
  [[ "$CHOSEN" != dev || -z "$NAMED" ]] || die_usage "--dev and --env exclude each other" "$HELP"
}

# choose_environment NAME - also for the programs that this one runs
choose_environment() {
  [[ "$1" != dev ]] || die_usage "dev is the development pod's name" "Such as: ./scripts/deploy.sh status --dev"
  NAMED="$1"
  pod_choose "$1"
  export AI_SEMBLE_ENVIRONMENT__NAME="$1"
}

start() {
  local backend
  case "$CHOSEN" in
    embedded)
      environment_may_be embedded || die_usage "the environment $ENVIRONMENT is a pod" "./scripts/deploy.sh start --env $ENVIRONMENT"
      backend=embedded
      ;;
    dev) backend="$(pod_backend)" || exit 1 ;;
    # What runs already is meant; a second start only says so.
    *)
      if is_named "$ENVIRONMENT"; then
        backend="$(backend_in_use)" || exit 1
      elif embedded_is_running; then
        backend=embedded
      else
        backend="$(pod_backend)" || exit 1
      fi
      ;;
  esac
  if [[ "$backend" != embedded ]]; then exclusively "${WORDS[@]}"; fi
  if [[ "$CHOSEN" == dev ]]; then pod_prepare_dev "$backend"; fi
  act_by "$backend" start
}

# backend_meant - print the backend that this command is about
backend_meant() {
  case "$CHOSEN" in
    embedded)
      embedded_is_installed ||
        die "the embedded mode is not set up for this user" "Start it: ./scripts/deploy.sh start --embedded"
      echo embedded
      ;;
    dev)
      local backend
      for backend in quadlet kube; do
        if "${backend}_is_installed"; then
          echo "$backend"
          return
        fi
      done
      die "there is no development pod" "Start it: ./scripts/deploy.sh start --dev"
      ;;
    *) backend_in_use ;;
  esac
}

act() {
  local verb="$1" backend
  shift
  backend="$(backend_meant)" || exit 1
  act_by "$backend" "$verb" "$@"
}

# act_alone VERB - the same, for what must not happen twice at once
act_alone() {
  local backend
  backend="$(backend_meant)" || exit 1
  if [[ "$backend" != embedded ]]; then exclusively "${WORDS[@]}"; fi
  act "$@"
}

# Models are the same for every pod; without Podman the embedded mode is made to handle its own.
models() {
  (($#)) || die_usage "models needs a command" "./scripts/deploy.sh models list"
  local backend=embedded
  case "$CHOSEN" in
    embedded) ;;
    dev) backend="$(pod_backend)" || exit 1 ;;
    *)
      if quadlet_is_installed || kube_is_installed; then
        backend="$(backend_in_use)"
      elif ! embedded_is_installed && command -v podman >/dev/null 2>&1; then
        die "Ai-semble is not set up for this user" \
          "Set it up: ./scripts/setup.sh; for the embedded mode: ./scripts/deploy.sh models $* --embedded"
      fi
      ;;
  esac
  if [[ "$backend" == embedded ]]; then embedded_models "$@"; else pod_models "$@"; fi
}

keys() {
  (($#)) || die_usage "keys needs a command" "./scripts/deploy.sh keys list"
  act keys "$@"
}

certificate() {
  case "${1-} $#" in
    'show 1' | 'remove 1') act certificate "$1" ;;
    'install '*)
      shift
      local file
      for file in "$@"; do
        [[ "$file" == - || -r "$file" ]] ||
          die "$file cannot be read" "As root: cat CERTIFICATE KEY | runuser -l $(id -un) -c '$CHECKOUT/scripts/deploy.sh certificate install -'"
      done
      (($# > 0)) || die_usage "certificate install needs files" "./scripts/deploy.sh certificate install CERTIFICATE KEY"
      # A file may end without an end of line.
      awk 1 "$@" | act certificate install
      ;;
    *) die_usage "certificate knows install CERTIFICATE KEY, show and remove" "$HELP" ;;
  esac
}

uninstall() {
  local confirmed='' with_data='' backend=pod
  while (($#)); do
    case "$1" in
      --yes) confirmed=yes ;;
      --data) with_data=yes ;;
      *) die_usage "uninstall does not know $1" "$HELP" ;;
    esac
    shift
  done
  # What an interrupted setup or an earlier uninstall has left is no environment, but can be removed.
  if is_any_installed || [[ -z "$(pod_belongings "$with_data")" ]]; then backend="$(backend_meant)" || exit 1; fi
  if [[ "$backend" == embedded ]]; then
    embedded_uninstall "$confirmed" "$with_data"
  else
    exclusively "${WORDS[@]}"
    pod_uninstall "$confirmed" "$with_data"
  fi
}

# is_any_installed - whether there is what backend_meant finds
is_any_installed() {
  case "$CHOSEN" in
    embedded) return 0 ;; # it keeps nothing in volumes
    dev) quadlet_is_installed || kube_is_installed ;;
    *) quadlet_is_installed || kube_is_installed || { embedded_is_installed && environment_may_be embedded; } ;;
  esac
}

no_options() {
  local verb="$1"
  shift
  (($# == 0)) || die_usage "$verb does not know $1" "$HELP"
}

only_json() {
  local verb="$1"
  shift
  [[ $# == 0 || ($# == 1 && "$1" == --json) ]] || die_usage "$verb knows only --json" "$HELP"
}

main "$@"
