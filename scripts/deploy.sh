#!/usr/bin/env bash
# Run Ai-semble on this machine.
#
# Usage: ./scripts/deploy.sh COMMAND [OPTIONS]
#
#   start --embedded           start the services, wait until they are ready, and show what to try: without
#                              Podman, as processes of yours that nothing isolates
#   start                      the same in a Podman pod; not part of this version yet
#   stop                       stop them all
#   restart                    stop, then start
#   status [--json]            each service: state, model, memory; what is wrong and what to do
#   health [--json]            the whole in one word, and each service
#   logs [--follow] [--json] [--lines N] [SERVICE]
#                              what the services say; all of them without SERVICE
#   models list|pull|verify|remove [...]
#                              the models on this machine
#
# Services: orchestrator llm vision nlp data-processor
# Variables: AI_SEMBLE_<SECTION>__<KEY> for every key of configs/ai-semble.toml, as
#   AI_SEMBLE_ORCHESTRATOR__PORT=18080; AI_SEMBLE_PYTHON for the interpreter of the embedded mode.
# Exit status: 0 ok, 1 failed or not well, 2 wrong usage.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/backends.sh
source "$CHECKOUT/scripts/lib/backends.sh"

HELP="./scripts/deploy.sh --help"

main() {
  local verb="${1-}"
  shift || true
  case "$verb" in
    start) start "$@" ;;
    stop | restart) no_options "$verb" "$@" && act "$verb" ;;
    status | health) only_json "$verb" "$@" && act "$verb" "$@" ;;
    logs) act logs "$@" ;;
    models) models "$@" ;;
    update) die_pod_not_yet ;;
    --help | -h | help) usage ;;
    '') die_usage "there is no command" "$HELP" ;;
    *) die_usage "unknown command $verb" "$HELP" ;;
  esac
}

start() {
  local backend=''
  while (($#)); do
    case "$1" in
      --embedded) backend=embedded ;;
      --dev) die_pod_not_yet ;;
      --help | -h) usage && return ;;
      *) die_usage "unknown option $1" "$HELP" ;;
    esac
    shift
  done
  if [[ -z "$backend" ]]; then
    # What runs already is meant; a second start only says so.
    if embedded_is_running; then backend=embedded; else backend="$(pod_backend)" || exit 1; fi
  fi
  "${backend}_start"
}

act() {
  local verb="$1" backend
  shift
  backend="$(backend_in_use)" || exit 1
  "${backend}_${verb}" "$@"
}

# Models are the same for every backend; without any, the embedded environment is made to handle them.
models() {
  (($#)) || die_usage "models needs a command" "./scripts/deploy.sh models list"
  embedded_models "$@"
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
