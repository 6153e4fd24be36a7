# Words that all scripts share. Sourced, never run.
# shellcheck shell=bash

CHECKOUT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# Another project's Python settings must not reach our programs.
unset PYTHONPATH PYTHONHOME
# Without compiled modules every start would take seconds longer.
unset PYTHONDONTWRITEBYTECODE

# After `su` or `sudo -iu` the variable is missing, though the session's folder is there.
if [[ -z "${XDG_RUNTIME_DIR-}" && -d "/run/user/$UID" ]]; then export XDG_RUNTIME_DIR="/run/user/$UID"; fi

say() { printf '%s\n' "$*" >&2; }

# show_line TEXT - on a terminal, in the place of the one before; one that were two lines could not be wiped out
show_line() {
  local width
  width="$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2)" || width=80
  if ((${width:-0} < 20)); then width=80; fi
  if ((${#1} >= width)); then set -- "${1:0:width-2}…"; fi
  printf '\r\033[K%s' "$1" >&2
}

# die MESSAGE HINT - one line of what went wrong, one line of what to do
die() {
  printf 'error: %s\nhint:  %s\n' "$1" "$2" >&2
  exit 1
}

# die_usage MESSAGE HINT - the same for a wrong command line
die_usage() {
  printf 'error: %s\nhint:  %s\n' "$1" "$2" >&2
  exit 2
}

# usage - the comment at the head of the script that runs
usage() { sed -n '2,/^[^#]/ { /^#/!q; s/^# \{0,1\}//p; }' "$0"; }

# data_home - where our things lie, by the XDG rules
data_home() {
  case "${XDG_DATA_HOME-}" in
    /*) printf '%s\n' "$XDG_DATA_HOME/ai-semble" ;;
    *) printf '%s\n' "$HOME/.local/share/ai-semble" ;;
  esac
}

# config_home - where the user's settings lie, by the XDG rules
config_home() {
  case "${XDG_CONFIG_HOME-}" in
    /*) printf '%s\n' "$XDG_CONFIG_HOME" ;;
    *) printf '%s\n' "$HOME/.config" ;;
  esac
}

# private_folder - print a new folder for secrets, of this run and this user alone, in memory where there is a place for
# that. Who makes it removes it; what runs that were killed could not remove goes now.
private_folder() {
  local place="${XDG_RUNTIME_DIR-}" left owner
  if [[ ! -w "$place" ]]; then place="${TMPDIR:-/tmp}"; fi
  for left in "$place"/ai-semble-private.*; do
    owner="${left##*-private.}"
    if [[ -O "$left" ]] && ! kill -0 "${owner%%.*}" 2>/dev/null; then rm -rf "$left"; fi
  done
  mktemp -d "$place/ai-semble-private.$$.XXXXXX"
}

# podman_version - of the Podman of this machine; fails when it does not work for this user
podman_version() { podman version --format '{{.Client.Version}}' 2>/dev/null; }

# is_new_enough PYTHON - whether it is Python >= 3.11
is_new_enough() {
  command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# find_python - print the interpreter to use; AI_SEMBLE_PYTHON goes first
find_python() {
  local candidate
  if [[ -n "${AI_SEMBLE_PYTHON-}" ]]; then
    is_new_enough "$AI_SEMBLE_PYTHON" ||
      die "AI_SEMBLE_PYTHON is $AI_SEMBLE_PYTHON, which is not Python 3.11 or newer" \
        "Set it to the path of a newer one, or unset it."
    command -v "$AI_SEMBLE_PYTHON"
    return
  fi
  for candidate in python3.13 python3.12 python3.11 python3; do
    if is_new_enough "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  die "there is no Python 3.11 or newer ($(python3 --version 2>/dev/null || echo 'no python3 at all'))" \
    "Install one (Debian, Ubuntu: sudo apt install python3) or set AI_SEMBLE_PYTHON to its path."
}

# bootstrap WORD [ENVIRONMENT_FOLDER] - make or refresh a Python environment; prints what bootstrap.py prints
bootstrap() {
  local python
  # The environment's own interpreter knows fastest that nothing has changed.
  if [[ -z "${AI_SEMBLE_PYTHON-}" && -n "${2-}" ]] && is_new_enough "$2/bin/python"; then
    python="$2/bin/python"
  else
    python="$(find_python)" || exit 1
  fi
  "$python" "$CHECKOUT/scripts/lib/bootstrap.py" "$1"
}

# delegated_controllers - the cgroup controllers that systemd gives this user's services. `podman info` names only those
# that one of them uses at the moment.
delegated_controllers() {
  cat "/sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service/cgroup.controllers" 2>/dev/null || true
}
