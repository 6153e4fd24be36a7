#!/usr/bin/env bash
# Test this checkout, in an environment of its own (.venv) that is made at the first run.
#
# Usage: ./scripts/run-tests.sh TIER [--coverage] [--target=TARGET] [--host=HOST] [--kernel=KERNEL] [PYTEST OPTIONS]
#
#   all            every tier below but `quick`, integration against every target; ends with a summary. Of the second
#                  host and of `vm`, only what is not thorough
#   quick          lint and the unit tests that take no time
#   lint           ruff, mypy, shellcheck, shfmt, pip-audit where there is a network, and that generated files are fresh
#   unit           single parts, with real files, processes and models
#   contract       the running API against its own OpenAPI description, and a corpus of bad inputs
#   shell          the scripts
#   docs           generated pages are fresh, and what the README says works
#   attacks        what somebody hostile would try; --target=embedded (default), or as for integration
#   integration    the whole platform; --target=inprocess (default), embedded (supervised processes), or the pod
#                  on a real host: quadlet, kube; --topology=network for separate containers instead of a pod
#   machine        real hosts: clone, setup.sh, deploy.sh, the integration suite, faults; --host=debian13 (default:
#                  Podman 5.4, Quadlets) or debian12 (Podman 4.3, kube play). Needs root or sudo, and says what else
#   vm             hosts with a kernel of their own, in QEMU, which is slow where /dev/kvm does not work: limits,
#                  SELinux, AppArmor; --kernel=apparmor (default) or selinux. `integration` and `attacks` take
#                  --kernel, too: the pod on such a host. Needs what `machine` needs. Its first run sets Ai-semble up
#                  on an ordinary host (minutes); -m "not thorough" is one test of each kind
#   load           speed and memory against peers, in one run; --quick, or a subject: gateway jobs llm
#                  vision nlp data memory pod; table and chart go to tests/load/results/. `pod` needs what
#                  `machine` needs, and is not in --quick
#
#   --coverage     measure what the tests reach; the report is printed, and written to htmlcov/
#
# Examples: ./scripts/run-tests.sh unit -k lifecycle -x
#           ./scripts/run-tests.sh unit tests/unit/embedded/test_view.py
#           ./scripts/run-tests.sh integration --target=embedded
# Variables: AI_SEMBLE_TEST_MODELS, a folder with the default models (default: your own, filled when needed);
#   AI_SEMBLE_TEST_DEBIAN_MIRROR, where the packages of the hosts come from.
# Exit status: 0 all passed, 1 something failed, 2 wrong usage.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/lanes.sh
source "$CHECKOUT/scripts/lib/lanes.sh"

VENV="$CHECKOUT/.venv"
HELP="./scripts/run-tests.sh --help"
COVERAGE=
TARGET=
HOST=debian13
KERNEL=
RESULTS=()

main() {
  # Else what ends politely at Ctrl-C is followed by the next step.
  trap 'exit 130' INT
  local tier="${1-}" pytest_options=()
  shift || true
  case "$tier" in
    all | quick | lint | unit | contract | shell | docs | integration | attacks | machine | vm | load) ;;
    --help | -h) usage && return ;;
    '') die_usage "there is no tier" "$HELP" ;;
    *) die_usage "unknown tier $tier" "$HELP" ;;
  esac
  while (($#)); do
    case "$1" in
      --coverage) COVERAGE=yes ;;
      --target=inprocess | --target=embedded | --target=quadlet | --target=kube) TARGET="${1#*=}" ;;
      --target*) die_usage "the target is inprocess, embedded, quadlet or kube" "$HELP" ;;
      --host=debian13 | --host=debian12) HOST="${1#*=}" ;;
      --host*) die_usage "the host is debian13 or debian12" "$HELP" ;;
      --kernel=apparmor | --kernel=selinux) KERNEL="${1#*=}" ;;
      --kernel*) die_usage "the kernel is apparmor or selinux" "$HELP" ;;
      --help | -h) usage && return ;;
      *) pytest_options+=("$1") ;;
    esac
    shift
  done
  cd "$CHECKOUT"
  prepare "$tier"
  "run_$tier" ${pytest_options[@]+"${pytest_options[@]}"}
  if [[ -n "$COVERAGE" ]]; then report_coverage; fi
  summarize
}

# prepare TIER - the environment, and the models where a tier needs them
prepare() {
  bootstrap dev "$VENV" >/dev/null
  export PATH="$VENV/bin:$PATH"
  case "$1" in
    lint | shell) ;;
    *) AI_SEMBLE_MODELS__DIRECTORY="${AI_SEMBLE_TEST_MODELS:-$(data_home)/models}" ai-semble models pull ;;
  esac
}

run_all() {
  side_by_side here hosts -- "$@"
  run_load --quick
}

# The kernels begin with what the first of the hosts has set up, which has long happened by then.
lane_here() {
  run_lint
  run_unit "$@"
  run_contract "$@"
  run_shell "$@"
  run_docs "$@"
  for TARGET in inprocess embedded; do run_integration "$@"; done
  run_attacks "$@"
  for KERNEL in apparmor selinux; do run_vm -m "not thorough" "$@"; done
}

lane_hosts() {
  HOST=debian13 && run_machine "$@"
  HOST=debian12 && run_machine -m "not thorough" "$@"
}

run_quick() {
  run_lint
  tier unit tests/unit -m "not slow" -x "$@"
}

run_lint() {
  local scripts=(scripts/*.sh scripts/lib/*.sh scripts/lib/backends/*.sh scripts/checks/*.sh scripts/security/*.sh containers/base/build/* containers/base/healthy .ci/run)
  step "ruff check" ruff check .
  step "ruff format" ruff format --check --quiet .
  step "mypy" mypy containers/*/src clients/python/src tests scripts/lib/*.py
  step "shellcheck" shellcheck --external-sources "${scripts[@]}"
  step "shfmt" shfmt --diff -i 2 -ci "${scripts[@]}"
  step "pip-audit" python scripts/lib/audit.py
  step "generated files" pytest --quiet tests/docs -k fresh
}

run_unit() { of_folder unit "$@"; }
run_contract() { of_folder contract "$@"; }
run_shell() { of_folder shell "$@"; }
run_docs() { of_folder docs "$@"; }
run_load() { step load python -m tests.load "$@"; }
run_integration() { on_target integration inprocess "$@"; }
run_attacks() { on_target attacks embedded "$@"; }

# of_folder TIER PYTEST_OPTION... - a tier that is one folder, or only those of its tests that are named
of_folder() {
  local name="$1" option
  shift
  for option in "$@"; do
    if [[ "$option" == "tests/$name/"* ]]; then
      tier "$name" "$@"
      return
    fi
  done
  tier "$name" "tests/$name" "$@"
}

# on_target TIER DEFAULT PYTEST_OPTION... - a tier of the whole platform, wherever TARGET says that it runs
on_target() {
  local name="$1" target="${TARGET:-$2}" run=tier
  shift 2
  case "$target" in quadlet | kube) run=hosts_tier ;; esac
  if [[ -n "$KERNEL" ]]; then
    hosts_tier "$name (vm, $KERNEL)" "tests/$name" --host="debian13-$KERNEL" "$@"
  else
    "$run" "$name ($target)" "tests/$name" --target="$target" "$@"
  fi
}

# One host for all, since setting it up is what takes long. The integration suite runs against its pod, and so do the
# attacks that need a container.
run_machine() {
  hosts_tier "machine ($HOST)" tests/integration tests/attacks/test_containers.py tests/machine --host="$HOST" "$@"
}

# One boot for all. A fork bomb needs a limit of processes, which no other host of the tests has.
run_vm() {
  local kernel="${KERNEL:-apparmor}" bomb=test_a_fork_bomb_ends_at_a_limit_and_harms_no_other_service
  hosts_tier "vm ($kernel)" tests/vm "tests/attacks/test_containers.py::$bomb" --host="debian13-$kernel" "$@"
}

# hosts_tier NAME PYTEST_OPTION... - a tier that needs real hosts; where there can be none, it fails and says why
hosts_tier() {
  if python -m tests.hosts check; then
    tier "$@"
  else
    result "FAILED  $1: see above what this machine lacks"
  fi
}

# tier NAME PYTEST_OPTION... - one pytest run
tier() {
  local name="$1" command=(pytest)
  shift
  if [[ -n "$COVERAGE" ]]; then command=(coverage run -m pytest); fi
  step "$name" in_two_tries "${command[@]}" --quiet "$@"
}

# in_two_tries PYTEST... - what failed is tried once more by itself. Real processes with real deadlines miss them
# when something else takes the machine; both runs are shown, and what is broken fails twice.
in_two_tries() {
  local status=0
  "$@" || status=$?
  if ((status != 1)); then return "$status"; fi
  say "== once more, what failed"
  "$@" --last-failed --last-failed-no-failures none
}

# step NAME COMMAND... - run it, say what failed so that it can be pasted, and go on
step() {
  local name="$1" began=$SECONDS status=0 words
  shift
  words="$*"
  said "$name" "$@" || status=$?
  if ((status == 0)); then
    result "passed  $name ($((SECONDS - began)) s)"
  elif ((status == 130)); then
    exit 130
  else
    result "FAILED  $name: ${words#in_two_tries }"
  fi
}

report_coverage() {
  coverage combine --quiet
  coverage html --quiet
  coverage report --skip-covered --skip-empty
}

summarize() {
  say "== summary"
  local line failed=0
  for line in "${RESULTS[@]}"; do
    say "$line"
    if [[ "$line" == FAILED* ]]; then failed=1; fi
  done
  return "$failed"
}

main "$@"
