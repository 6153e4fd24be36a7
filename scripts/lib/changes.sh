# How a step of install-security.sh changes the system: each change is written down before it is made, so that it can
# be undone. Sourced by the files in scripts/security/, which are run as `bash FILE VERB`.
# A step has step_install and step_status; a kind of change of its own has undo_<kind>.
# shellcheck shell=bash

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

STEP="$(basename "$0" .sh)"
STATE=/var/lib/ai-semble-security
CHANGES="$STATE/changes"
# In a dry run, folders that would be there by now.
declare -A WOULD_BE=()

# run_step VERB [WORD...] - what install-security.sh asks of a step
run_step() {
  local verb="$1"
  shift
  case "$verb" in
    install)
      heading "$(sed -n '2s/^# //p' "$0")"
      step_install
      ;;
    uninstall) undo_step ;;
    *) "step_$verb" "$@" ;;
  esac
}

heading() { if is_dry; then printf '\n# == %s: %s\n' "$STEP" "$1"; else say "== $STEP: $1"; fi; }
note() { if is_dry; then printf '# %s\n' "$1"; else say "   $1"; fi; }
is_dry() { [[ -n "${SECURITY_DRY-}" ]]; }

# layer STATE TEXT - what --status says of this step; whatever is off or old can be mended
layer() {
  printf '%-11s %-7s %s\n' "$STEP" "$1" "$2"
  case "$1" in off | old) return 1 ;; esac
}

# run COMMAND... - do it, or in a dry run print it; one that fails is shown, so that it can be tried by hand
run() {
  local word words=''
  for word; do
    [[ "$word" =~ ^[[:alnum:]_./:=@%+,-]+$ ]] || word="${word@Q}"
    words+="$word "
  done
  if is_dry; then
    printf '%s\n' "${words% }"
    return
  fi
  "$@" >/dev/null </dev/null || die "this failed, see above: ${words% }" "Try it by hand, as root, then run install-security.sh again."
}

# record KIND WORD... - write down a change, once
record() {
  if is_dry || is_recorded "$@"; then return; fi
  mkdir -p "$STATE"
  line_of "$@" >>"$CHANGES"
}

is_recorded() { grep -qxF "$(line_of "$@")" "$CHANGES" 2>/dev/null; }

# recorded - the changes of this step, one a line, the words between tabs; the step's name goes first
recorded() { grep "^$STEP"$'\t' "$CHANGES" 2>/dev/null || true; }

line_of() {
  local IFS=$'\t'
  printf '%s\n' "$STEP	$*"
}

# forget KIND WORD... - take a change out of the record
forget() {
  if is_dry; then return; fi
  # Nothing left is 1; what could not be read or written must not take the record's place.
  grep -vxF "$(line_of "$@")" "$CHANGES" >"$CHANGES.new" || (($? == 1))
  mv "$CHANGES.new" "$CHANGES"
}

# undo KIND WORD... - undo a change, then forget it
undo() {
  "undo_$1" "${@:2}"
  forget "$@"
}

# undo_step - undo all changes of this step, the last one first
undo_step() {
  local line words
  [[ -n "$(recorded)" ]] || return 0
  heading "undo what was done"
  while IFS= read -r line; do
    IFS=$'\t' read -r -a words <<<"$line"
    undo "${words[@]:1}"
  done < <(recorded | tac)
}

# put_file FROM TO - have this file there, readable by all; what was there before is kept
put_file() {
  if cmp --silent "$1" "$2"; then return; fi
  about_to_write "$2"
  run install --mode=0644 "$1" "$2"
}

# put_text TO - the same with the text on stdin
put_text() {
  local text
  text="$(cat)"
  if [[ -f "$1" && "$(<"$1")" == "$text" ]]; then return; fi
  about_to_write "$1"
  if is_dry; then printf "cat >%q <<'END'\n%s\nEND\n" "$1" "$text"; else printf '%s\n' "$text" >"$1"; fi
}

about_to_write() {
  make_folder "$(dirname "$1")"
  if is_recorded file "$1" || is_recorded replaced "$1"; then return; fi
  if [[ ! -e "$1" && ! -L "$1" ]]; then
    record file "$1"
  else
    if ! is_dry; then mkdir -p "$STATE/before$(dirname "$1")"; fi
    run cp --archive "$1" "$STATE/before$1"
    record replaced "$1"
  fi
}

make_folder() {
  if [[ -d "$1" || -n "${WOULD_BE[$1]-}" ]]; then return; fi
  make_folder "$(dirname "$1")"
  record folder "$1"
  run mkdir "$1"
  WOULD_BE[$1]=yes
}

undo_file() { run rm --force "$1"; }

undo_replaced() {
  # Missing when it broke off before anything was replaced.
  if [[ -e "$STATE/before$1" || -L "$STATE/before$1" ]]; then
    run rm --force "$1"
    run mv "$STATE/before$1" "$1"
  fi
}

undo_folder() {
  if [[ -d "$1" ]]; then run rmdir --ignore-fail-on-non-empty "$1"; fi
}

# keep_only FILE... - take away what an earlier version put there and this one does not
keep_only() {
  local line file
  while IFS= read -r line; do
    file="${line##*$'\t'}"
    if [[ " $* " != *" $file "* ]]; then undo file "$file"; fi
  done < <(recorded | grep $'\tfile\t')
}

# unlike FROM TO - whether the file is another one than that of the checkout
unlike() { ! cmp --silent "$1" "$2"; }

# user_or_leave - end the step where nobody is named
user_or_leave() {
  if [[ -z "${SECURITY_USER-}" ]]; then
    note "left out: no user is named (--user NAME)"
    exit 0
  fi
}
