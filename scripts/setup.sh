#!/usr/bin/env bash
# Make this machine ready for Ai-semble.
#
# Usage: ./scripts/setup.sh [--check] [--embedded]
#
#   (nothing)      check the host, then set up the pod (Podman); not part of this version yet
#   --embedded     check the host, then install the packages and models of the embedded mode (no Podman);
#                  `./scripts/deploy.sh start --embedded` does the same and starts
#   --check        only say what is and what is not as it should be, each with its fix
#
# It may be run again at any time: what is done is not done twice, what broke off goes on.
# Exit status: 0 ok, 1 something must be fixed first, 2 wrong usage.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/backends.sh
source "$CHECKOUT/scripts/lib/backends.sh"

main() {
  local mode=pod only_check=
  while (($#)); do
    case "$1" in
      --embedded) mode=embedded ;;
      --check) only_check=yes ;;
      --help | -h) usage && return ;;
      *) die_usage "unknown option $1" "./scripts/setup.sh --help" ;;
    esac
    shift
  done
  if [[ "$mode" == pod && -z "$only_check" ]]; then die_pod_not_yet; fi
  run_checks "$mode" ||
    die "this machine is not ready for the $mode mode" "Do what stands behind \`fix\` above, then run it again."
  if [[ -n "$only_check" ]]; then return; fi
  embedded_install
  say "Ready. Start it: ./scripts/deploy.sh start --embedded"
}

# run_checks MODE - run every check that concerns the mode; fails when one finds something bad
run_checks() {
  local check failed=0
  for check in "$CHECKOUT"/scripts/checks/*.sh; do
    grep -q "^# for:.*\b$1\b" "$check" || continue
    bash "$check" || failed=1
  done
  return "$failed"
}

main "$@"
