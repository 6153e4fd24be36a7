# How a check tells what it found. Sourced by the files in checks/, which are run as `bash FILE MODE`.
# shellcheck shell=bash

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHECK_NAME="$(basename "$0" .sh)"
# shellcheck disable=SC2034 # for the checks that concern both modes
MODE="${1-pod}"

# ok WHAT
ok() { printf 'ok    %-9s %s\n' "$CHECK_NAME" "$1"; }

# warn WHAT FIX - it works, but not as well as it could; the check ends well
warn() {
  printf 'warn  %-9s %s\n                fix: %s\n' "$CHECK_NAME" "$1" "$2"
  exit 0
}

# bad WHAT FIX - it does not work like this; the check ends with 1
bad() {
  printf 'bad   %-9s %s\n                fix: %s\n' "$CHECK_NAME" "$1" "$2"
  exit 1
}

# needs_podman - what cannot be asked without Podman is not said twice; checks/podman.sh says it
needs_podman() { command -v podman >/dev/null 2>&1 || exit 0; }

# install_command PACKAGE... - how packages are installed on this system
install_command() {
  if command -v dnf >/dev/null 2>&1; then echo "sudo dnf install $*"; else echo "sudo apt install $*"; fi
}
