#!/usr/bin/env bash
# Make this machine ready for Ai-semble.
#
# Usage: ./scripts/setup.sh [--check] [--embedded] [--no-images] [--no-models] [--env NAME]
#
#   (nothing)      check the host, build the pod's images, fetch its models, write its settings, secret and
#                  units (Podman >= 4.0); then `./scripts/deploy.sh start`
#   --no-images    do not build images; those that `podman load` brought are used
#   --no-models    do not fetch models; `./scripts/deploy.sh models pull` does it later
#   --embedded     check the host, then install the packages and models of the embedded mode (no Podman);
#                  `./scripts/deploy.sh start --embedded` does the same and starts
#   --env NAME     set up another environment than the default one, with images built from this checkout;
#                  `./scripts/deploy.sh env create NAME` makes one of those that are there, and knows limits
#   --check        only say what is and what is not as it should be, each with its fix
#
# It may be run again at any time: what is done is not done twice, what broke off goes on.
# Variables: AI_SEMBLE_BASE_IMAGE, the image that all others stand on (default docker.io/library/debian:trixie-slim);
#   AI_SEMBLE_CA_BUNDLE, a file of certificates that the builds trust, too; AI_SEMBLE_ORCHESTRATOR__PORT (8080).
# Exit status: 0 ok, 1 something must be fixed first, 2 wrong usage.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/backends.sh
source "$CHECKOUT/scripts/lib/backends.sh"

main() {
  local mode=pod only_check='' images=yes models=yes words=("$@")
  while (($#)); do
    case "$1" in
      --embedded) mode=embedded ;;
      --check) only_check=yes ;;
      --no-images) images='' ;;
      --no-models) models='' ;;
      --env)
        (($# > 1)) || die_usage "--env needs the name of an environment" "./scripts/setup.sh --help"
        export AI_SEMBLE_ENVIRONMENT__NAME="$2"
        pod_choose "$2"
        shift
        ;;
      --help | -h) usage && return ;;
      *) die_usage "unknown option $1" "./scripts/setup.sh --help" ;;
    esac
    shift
  done
  run_checks "$mode" ||
    die "this machine is not ready for the $mode mode" "Do what stands behind \`fix\` above, then run it again."
  if [[ -n "$only_check" ]]; then return; fi
  "setup_$mode" "$images" "$models" ${words[@]+"${words[@]}"}
}

setup_embedded() {
  [[ -n "$1" ]] || die_usage "the embedded mode has no images" "./scripts/setup.sh --help"
  embedded_install "$2"
  say "Ready. Start it: ./scripts/deploy.sh start --embedded"
}

setup_pod() {
  local images="$1" models="$2" backend
  shift 2
  exclusively "$@"
  trap 'say; say "Interrupted. Run it again: it goes on where it stopped."; exit 130' INT
  backend="$(pod_backend)" || exit 1
  environment_prepare "$backend"
  pod_setup "$backend" "$images" "$models"
  environment_is_ready
  "$CHECKOUT/scripts/install-security.sh" --status >/dev/null 2>&1 ||
    say "This machine could protect you better: ./scripts/install-security.sh --status says how"
  say "Ready. Start it: ./scripts/deploy.sh start$(environment_words)"
}

# run_checks MODE - run every check that concerns the mode; fails when one finds something bad
run_checks() {
  local check failed=0
  # Another process holds the lock and has checked already.
  if [[ -n "${AI_SEMBLE_LOCKED-}" ]]; then return; fi
  for check in "$CHECKOUT"/scripts/checks/*.sh; do
    grep -q "^# for:.*\b$1\b" "$check" || continue
    bash "$check" "$1" || failed=1
  done
  return "$failed"
}

main "$@"
