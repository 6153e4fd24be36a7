#!/usr/bin/env bash
# Subordinate ids: the users inside the containers are ids that own nothing outside of them.
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"

COUNT=65536

step_install() {
  user_or_leave
  local file start added=
  for file in /etc/subuid /etc/subgid; do
    if [[ -n "$(ranges "$file")" ]]; then continue; fi
    added=yes
    start="$(free_start "$file")"
    if [[ ! -e "$file" ]]; then
      record empty "$file"
      run touch "$file"
    fi
    record range "$SECURITY_USER" "$file" "$start"
    run usermod "--add-${file#/etc/}s" "$start-$((start + COUNT - 1))" "$SECURITY_USER"
  done
  if [[ -n "$added" ]]; then note "then, as $SECURITY_USER: podman system migrate"; else note "$SECURITY_USER has them already"; fi
}

step_status() {
  if [[ -z "$SECURITY_USER" ]]; then
    layer absent "no user is named (--user NAME)"
  elif [[ -z "$(ranges /etc/subuid)" || -z "$(ranges /etc/subgid)" ]]; then
    layer off "$SECURITY_USER has none, so that containers without root do not start"
  else
    layer on "$SECURITY_USER has them"
  fi
}

# ranges FILE - those of the user; a directory service may hand them out instead, and getsubids knows it
ranges() {
  local option=()
  if [[ "$1" == /etc/subgid ]]; then option=(-g); fi
  awk -F: -v name="$SECURITY_USER" -v id="$(id -u -- "$SECURITY_USER")" '$1 == name || $1 == id' "$1" 2>/dev/null || true
  getsubids ${option[@]+"${option[@]}"} "$SECURITY_USER" 2>/dev/null || true
}

# free_start FILE - the first id of a range of which nobody has one: neither as subordinate id nor as user or group
free_start() {
  local owners=passwd
  if [[ "$1" == /etc/subgid ]]; then owners=group; fi
  {
    awk -F: '{ print $2, $2 + $3 }' "$1" 2>/dev/null || true
    getent "$owners" | awk -F: '{ print $3, $3 + 1 }'
  } | sort --numeric-sort | awk -v count="$COUNT" '
    BEGIN { start = 100000 }
    $1 < start + count && $2 > start { start = $2 }
    END { print start }'
}

undo_empty() { if [[ -e "$1" && ! -s "$1" ]]; then run rm "$1"; fi; }

# undo_range NAME FILE START - usermod takes no range from a user who is logged in, so the line is taken out here
undo_range() {
  local line="$1:$3:$COUNT" found
  grep -qxF "$line" "$2" || return 0
  if ((EUID != 0)) && [[ "$1" != "$(id -un)" ]]; then
    note "only if $1 has no containers or images, which root can see"
  else
    found="$(files_of_containers "$1")"
    [[ -z "$found" ]] || die "$1 has containers or images, which belong to ids of the range in $2" \
      "As $1, \`podman system reset\` removes them all; then run --uninstall again."
  fi
  run sed --in-place "/^${line//./\\.}\$/d" "$2"
}

# files_of_containers NAME - one of their files that is not the user's own
files_of_containers() {
  local home folders found
  home="$(getent passwd "$1" | cut -d : -f 6)"
  found="$(foreign_file "$1" "$home/.local/share/containers")"
  if [[ -z "$found" ]] && command -v podman >/dev/null; then
    folders="$(container_folders "$1")" ||
      die "Podman does not say where it keeps the containers of $1, whose files may belong to ids of the range" \
        "As $1, \`podman info\` says what is wrong; then run --uninstall again."
    mapfile -t folders <<<"$folders"
    found="$(foreign_file "$1" "${folders[@]}")"
  fi
  echo "$found"
}

# foreign_file NAME FOLDER... - one in them that is another user's. The user chooses the folders, so other disks are not searched.
foreign_file() { find "${@:2}" -xdev ! -user "$1" -print -quit 2>/dev/null || true; }

# container_folders NAME - where Podman keeps the user's images, containers and volumes, which its settings and those of the
# user's login may say
container_folders() {
  local runtime ask=(bash --login -c $'podman info --format "{{.Store.GraphRoot}}\n{{.Store.VolumePath}}"')
  # Podman fails for who has used it in a session and has none now, without the folder that a session has.
  runtime="user-runtime-dir@$(id --user "$1").service"
  # In a unit of its own, nothing that Podman starts stays behind, and a profile that never ends is ended.
  if ((EUID == 0)); then
    ask=(systemd-run --quiet --pipe --wait --collect --uid="$1" --property=PrivateTmp=yes
      --property=Wants="$runtime" --property=After="$runtime"
      --property=RuntimeMaxSec=60 --property=TimeoutStopSec=10 "${ask[@]}")
  fi
  # A profile may say more; and what begins otherwise would be a word of find.
  "${ask[@]}" </dev/null 2>/dev/null | grep '^/' | tail -n 2
}

run_step "$@"
