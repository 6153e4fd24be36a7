# How a check tells what it found. Sourced by the files in checks/.
# shellcheck shell=bash

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHECK_NAME="$(basename "$0" .sh)"

# ok WHAT
ok() { printf 'ok    %-9s %s\n' "$CHECK_NAME" "$1"; }

# warn WHAT FIX - it works, but not as well as it could
warn() { printf 'warn  %-9s %s\n                fix: %s\n' "$CHECK_NAME" "$1" "$2"; }

# bad WHAT FIX - it does not work like this; the check ends with 1
bad() {
  printf 'bad   %-9s %s\n                fix: %s\n' "$CHECK_NAME" "$1" "$2"
  exit 1
}
