#!/usr/bin/env bash
# Pin every dependency with its hashes.
#
# Usage: ./scripts/lib/lock.sh [--upgrade]
#
# Reads the pyproject.toml of the workspace, of each member and of the client, and writes
#   containers/requirements-embedded.txt     all services in one environment
#   containers/<member>/requirements.txt     one member alone, for its image
#   containers/ai-services/requirements-<service>.txt   one of its services alone, for its image
#   containers/<member>/requirements-build.txt          what the member is built with, and is in no image
#   requirements-dev.txt                     all services, the client, and the tools of the tests
# Versions that are pinned already stay; --upgrade takes the newest ones.
# The results hold no address of a package index and no path of this machine.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

OWN=(ai-semble ai-semble-ai-services ai-semble-data-processor ai-semble-orchestrator)
MEMBERS=(base orchestrator ai-services data-processor)

main() {
  local options=()
  case "${1-}" in
    --help | -h) usage && exit 0 ;;
    --upgrade) options+=(--upgrade) ;;
    '') ;;
    *) die_usage "unknown option $1" "./scripts/lib/lock.sh --help" ;;
  esac
  cd "$CHECKOUT"
  local uv member service projects=()
  uv="$("$(find_python)" scripts/lib/bootstrap.py uv)"
  for member in "${MEMBERS[@]}"; do
    projects+=("containers/$member/pyproject.toml")
  done
  pin requirements-dev.txt "${projects[@]}" clients/python/pyproject.toml --all-extras scripts/lib/build.in \
    --group pyproject.toml:dev
  options+=(--constraints requirements-dev.txt)
  pin containers/requirements-embedded.txt "${projects[@]}" --all-extras scripts/lib/build.in scripts/lib/embedded.in \
    --no-emit-package scipy # treelite's, which is never imported
  for member in "${MEMBERS[@]}"; do
    pin "containers/$member/requirements-build.txt" scripts/lib/build.in
  done
  pin containers/base/requirements.txt containers/base/pyproject.toml
  # The others need what the base package needs too.
  for member in orchestrator data-processor; do
    pin "containers/$member/requirements.txt" containers/base/pyproject.toml "containers/$member/pyproject.toml"
  done
  for service in llm vision nlp; do
    pin "containers/ai-services/requirements-$service.txt" containers/base/pyproject.toml \
      containers/ai-services/pyproject.toml --extra "$service"
  done
}

# pin RESULT SOURCE... - resolve for every Python and machine that we support, wheels only
pin() {
  local result="$1" name own=()
  shift
  for name in "${OWN[@]}"; do
    own+=(--no-emit-package "$name")
  done
  say "$result"
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
    --no-header --annotation-style line --no-emit-index-url --no-emit-find-links --no-emit-build-options \
    "${own[@]}" ${options[@]+"${options[@]}"} --output-file "$result" "$@" >/dev/null
  # That a version agrees with the other environments' is no reason for it.
  sed -i 's/, -c requirements-dev.txt//; s/-c requirements-dev.txt, //' "$result"
}

main "$@"
