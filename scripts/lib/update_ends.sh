# How an update ends: its journal, what puts everything back, what makes it final, what an interrupted one left.
# Sourced by update.sh.
# shellcheck shell=bash
# shellcheck disable=SC2153 # PREFIX is set by pod.sh

# Of each image: the id that ran before, the id to run, and how far it is.
declare -A UPDATE_OLD UPDATE_NEW UPDATE_PHASE

# --- the journal: what an update is doing, so that nothing that ends it leaves a mixture behind

update_journal() { echo "$POD_STATE/update"; }
update_saved() { echo "$POD_STATE/units-before-update"; }

# update_write PHASE - a line `phase PHASE`, then `IMAGE OLD NEW waiting|switching|switched`
update_write() {
  local file name
  file="$(update_journal)"
  {
    echo "phase $1"
    for name in "${IMAGES[@]}"; do
      echo "$name ${UPDATE_OLD[$name]} ${UPDATE_NEW[$name]} ${UPDATE_PHASE[$name]}"
    done
  } >"$file.new"
  sync "$file.new"
  mv "$file.new" "$file"
}

# update_read - the same back; prints nothing, sets UPDATE_PHASE[all]
update_read() {
  local name old new phase
  while read -r name old new phase; do
    if [[ "$name" == phase ]]; then
      UPDATE_PHASE[all]="$old"
    else
      UPDATE_OLD[$name]="$old" UPDATE_NEW[$name]="$new" UPDATE_PHASE[$name]="$phase"
    fi
  done <"$(update_journal)"
}

# update_begin BACKEND - from here on there is something to put back
update_begin() {
  local saved file name
  saved="$(update_saved)"
  rm -rf "$saved" "$saved.new"
  mkdir -p "$saved.new"
  while IFS= read -r file; do cp -p "$file" "$saved.new/"; done < <(pod_installed "$1")
  mv "$saved.new" "$saved"
  # Named, so that `podman image prune` in the middle does not take it.
  for name in "${IMAGES[@]}"; do podman tag "${UPDATE_OLD[$name]}" "$(image "$name" before)"; done
  update_write switching
}

# update_recover BACKEND - put back, or bring to its end, what an interrupted update left
update_recover() {
  local service='' name
  [[ -e "$(update_journal)" ]] || return 0
  update_read
  for name in "${UPDATE_ORDER[@]}"; do
    if [[ "${UPDATE_PHASE[$name]}" == switching ]]; then service="$name"; fi
  done
  if [[ "${UPDATE_PHASE[all]}" == finishing ]]; then
    say "An update was interrupted when all services had been switched; bringing it to its end"
    update_finish "$1"
    update_tell
    return
  fi
  for name in "${IMAGES[@]}"; do
    if ! podman image exists "${UPDATE_OLD[$name]}"; then
      update_drop
      say "An update was interrupted, and the images from before it are gone; ./scripts/setup.sh makes all anew"
      return
    fi
  done
  say "An update was interrupted${service:+ while $service was switched}; putting back what ran before"
  update_undo "$1" || die "after the interrupted update not all is well" "./scripts/deploy.sh status says what is wrong."
  say "All services have the images from before the update"
}

# update_drop - forget that there was an update
update_drop() { rm -rf "$(update_journal)" "$(update_saved)"; }

# update_notice - one line for those who only look
update_notice() {
  [[ -e "$(update_journal)" ]] || return 0
  if flock --nonblock "$POD_LOCK" true; then
    say "An update was interrupted; ./scripts/deploy.sh start puts back what ran before."
  else
    say "An update is at work."
  fi
}

# shellcheck disable=SC2317 # a trap calls it
update_interrupted() {
  trap - INT TERM HUP
  say "Interrupted. ./scripts/deploy.sh start puts back what ran before the update."
  exit 130
}

# --- the end, good or bad

# update_fail BACKEND REASON SINCE [SERVICE...] - put everything back, say why, and end with 1
update_fail() {
  local backend="$1" reason="$2" since="$3" words=''
  shift 3
  say "The new version is sick: $reason"
  if [[ -n "$since" ]]; then words="$(update_last_words "$since" "$@")"; fi
  if [[ -n "$words" ]]; then say "  its last error: $words"; fi
  say "Putting back what ran before"
  update_undo "$backend" ||
    die "the update failed ($reason), and not all is well again" "./scripts/deploy.sh status says what is wrong."
  die "the update failed: $reason; all services have their old images again" \
    "The new images are kept to look at, as $(image "${1:-base}" next). Mend it, then update again."
}

# update_last_words SINCE SERVICE... - the last error that they logged
update_last_words() {
  local since="$1" service names=()
  shift
  for service in "$@"; do names+=("CONTAINER_NAME=$PREFIX-$service"); done
  journal_lines --since "@$since" "${names[@]}" |
    in_image "${UPDATE_OLD[base]}" --network none -- ai-semble pod logs --prefix "$PREFIX" --level error --lines 1 2>/dev/null |
    sed -E 's/ +/ /g; s/^ //' | cut -c 1-300 || true
}

# update_undo BACKEND - old tags, old units, and a restart of what was touched; fails when that is not healthy
update_undo() {
  local backend="$1" at name service touched=() status=0 reason
  # What ran before has all the time of a start, however little the new version was given.
  # shellcheck disable=SC2034 # update_restart reads it
  UPDATE_LIMIT_S="$POD_START_LIMIT_S"
  for name in "${IMAGES[@]}"; do podman tag "${UPDATE_OLD[$name]}" "$(image "$name" latest)"; done
  update_restore_units "$backend" || status=1
  for ((at = ${#UPDATE_ORDER[@]} - 1; at >= 0; at--)); do
    service="${UPDATE_ORDER[at]}"
    if [[ "${UPDATE_PHASE[$service]}" != waiting ]]; then touched+=("$service"); fi
  done
  if ((${#touched[@]})) && pod_is_running "$backend"; then
    if [[ "$backend" == kube ]]; then
      reason="$(update_restart kube "${touched[@]}")" || status=1
    else
      for service in "${touched[@]}"; do
        say "Putting back $service"
        reason="$(update_restart quadlet "$service")" || {
          say "  $reason"
          status=1
        }
      done
    fi
  fi
  for name in "${IMAGES[@]}"; do update_untag "$name" before; done
  update_drop
  return "$status"
}

update_restore_units() {
  local saved status=0
  saved="$(update_saved)"
  [[ -d "$saved" ]] || return 0
  install_units "$1" "$saved" || status=1
  systemctl --user daemon-reload
  return "$status"
}

# update_finish BACKEND - the new images are the ones now; may run twice
update_finish() {
  local name id gone
  mapfile -t gone < <(update_ids_of previous)
  for name in "${IMAGES[@]}"; do
    podman tag "${UPDATE_NEW[$name]}" "$(image "$name" latest)"
    podman tag "${UPDATE_OLD[$name]}" "$(image "$name" previous)"
    update_untag "$name" before
    update_untag "$name" next
  done
  if [[ "$1" == quadlet ]] && ! quadlet_is_apart && ! update_same_file quadlet "$PREFIX.pod"; then
    say "The pod's own unit has changed; that takes effect at the next ./scripts/deploy.sh restart"
  fi
  for id in ${gone[@]+"${gone[@]}"}; do update_forget "$id"; done
  update_drop
}

update_untag() { podman untag "$(image "$1" "$2")" "$(image "$1" "$2")" 2>/dev/null || true; }

# update_forget ID - remove an image that has no name and no container any more
update_forget() {
  if [[ "$(podman image inspect --format '{{len .RepoTags}}' "$1" 2>/dev/null)" == 0 ]]; then
    podman image rm "$1" >/dev/null 2>&1 || true
  fi
}

# update_tell - what it did, a line each
update_tell() {
  local name old new
  for name in "${IMAGES[@]}"; do
    old="${UPDATE_OLD[$name]:0:12}" new="${UPDATE_NEW[$name]:0:12}"
    if [[ "$old" == "$new" ]]; then
      printf '%-15s %s, as before\n' "$name" "$old"
    else
      printf '%-15s %s -> %s\n' "$name" "$old" "$new"
    fi
  done
  say "These run now. Back to those from before: ./scripts/deploy.sh update --rollback"
}
