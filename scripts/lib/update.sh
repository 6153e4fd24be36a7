# Updates: other images are switched to service by service, asked a real question, and put back when one is sick.
# Tags say what is what: `latest` runs, `next` is tried, `before` is what ran when the update began, `previous`
# is what `update --rollback` goes back to. docs/adr/0016-updates-by-tags.md says why. Sourced by deploy.sh.
# shellcheck shell=bash
# shellcheck disable=SC2153 # PREFIX is set by pod.sh

# The orchestrator goes last: it answers meanwhile, and what it calls is new and tried by then.
UPDATE_ORDER=()
for service in "${POD_SERVICES[@]}"; do UPDATE_ORDER=("$service" ${UPDATE_ORDER[@]+"${UPDATE_ORDER[@]}"}); done
unset service
UPDATE_LIMIT_S=300
# Deaths of a new container after which nobody waits for it any longer.
UPDATE_TOO_MANY_DEATHS=3
# shellcheck source=scripts/lib/update_ends.sh
source "$CHECKOUT/scripts/lib/update_ends.sh"

# pod_update BACKEND [--from PREFIX[:TAG] | --rollback] [--timeout SECONDS]
pod_update() {
  local backend="$1" from='' back='' sick id
  shift
  while (($#)); do
    case "$1" in
      --rollback) back=yes ;;
      --from | --timeout)
        (($# > 1)) || die_usage "$1 needs a value" "./scripts/deploy.sh --help"
        if [[ "$1" == --from ]]; then from="$2"; else UPDATE_LIMIT_S="$2"; fi
        shift
        ;;
      *) die_usage "update does not know $1" "./scripts/deploy.sh --help" ;;
    esac
    shift
  done
  [[ -z "$from" || -z "$back" ]] ||
    die_usage "--from and --rollback exclude each other" "Images from elsewhere: --from. Those of before: --rollback."
  [[ "$UPDATE_LIMIT_S" =~ ^[1-9][0-9]{0,4}$ ]] ||
    die_usage "--timeout needs a number of seconds, not $UPDATE_LIMIT_S" "Such as: --timeout 600"
  [[ "$ENVIRONMENT" != dev ]] ||
    die "the development pod runs your source; there is nothing to update" \
      "Make its images and units anew: ./scripts/setup.sh && ./scripts/deploy.sh stop --dev && ./scripts/deploy.sh start --dev"
  update_recover "$backend"
  pod_is_running "$backend" ||
    die "Ai-semble is not running, so new images cannot be tried" \
      "First: ./scripts/deploy.sh start. If it does not start, ./scripts/setup.sh makes everything anew."
  # Service by service they would be taken by halves, as a pod's network is made only when all of it starts.
  if pod_has_new_settings "$backend" || ! pod_network_fits "$backend"; then
    die "the settings have changed since the pod was started, and an update changes images alone; nothing was changed" \
      "First ./scripts/deploy.sh restart, which takes the settings; then update."
  fi
  mapfile -t sick < <(update_ids_of next)
  update_fetch "$from" "$back"
  # What a failed update left to look at.
  for id in ${sick[@]+"${sick[@]}"}; do update_forget "$id"; done
  update_switch "$backend"
}

# update_fetch FROM BACK - have the images to try as `next`
update_fetch() {
  local name
  if [[ -n "$2" ]]; then
    for name in "${IMAGES[@]}"; do
      podman image exists "$(image "$name" previous)" ||
        die "there is nothing to go back to: no update was made, or its images were removed" \
          "Images of another version: ./scripts/deploy.sh update --from PREFIX:TAG"
      podman tag "$(image "$name" previous)" "$(image "$name" next)"
    done
  elif [[ -n "$1" ]]; then
    update_pull "$1"
  else
    # It says itself what is wrong and what helps.
    build_images next || {
      say "Nothing was changed"
      exit 1
    }
  fi
}

# update_pull PREFIX[:TAG] - images made elsewhere; without a network those that `podman load` brought
update_pull() {
  local prefix="$1" tag=latest name given
  if [[ "${1##*/}" == *:* ]]; then
    prefix="${1%:*}"
    tag="${1##*:}"
  fi
  for name in "${IMAGES[@]}"; do
    given="$prefix/$name:$tag"
    if [[ "$prefix" != localhost/* ]]; then
      say "Pulling $given"
      update_pull_one "$given"
    fi
    podman image exists "$given" ||
      die "there is no image $given; nothing was changed" \
        "Check the name; without a network: podman load -i FILE, then --from the prefix that podman images shows."
  done
  # One that could not be pulled may be an older one's that was here.
  for name in "${IMAGES[@]}"; do
    [[ "$(update_origin "$prefix/$name:$tag")" == "$(update_origin "$prefix/base:$tag")"* ]] ||
      die "$prefix/$name:$tag and $prefix/base:$tag are not of one version; nothing was changed" \
        "Have all six images of one build: podman pull, or podman load -i FILE; then update again."
  done
  # Only when all six are there, so that `next` is never of two versions.
  for name in "${IMAGES[@]}"; do podman tag "$prefix/$name:$tag" "$(image "$name" next)"; done
}

# update_pull_one IMAGE - one that the user's policy of images refuses ends the update; of one that cannot be reached, an
# older one may be here
update_pull_one() {
  local complaint
  if complaint="$(podman pull --quiet "$1" 2>&1 >/dev/null)"; then
    say "  $(podman image inspect --format '{{.Digest}}' "$1" 2>/dev/null || true)"
    return
  fi
  say "$complaint"
  # Podman's words about what its policy.json does not let in.
  [[ "$complaint" != *"ource image rejected"* ]] ||
    die "Podman's policy of images refuses $1; nothing was changed" \
      "Is it signed, and with the key that policy.json names? docs/howto/update.md says how both are done."
  say "It cannot be pulled; looking for it on this machine"
}

# update_origin IMAGE - version, commit where it is said, and layers: those of a service begin with its base's
update_origin() {
  local label=org.opencontainers.image
  podman image inspect "$1" --format \
    "{{index .Labels \"$label.version\"}} {{index .Labels \"$label.revision\"}} {{range .RootFS.Layers}}{{.}} {{end}}"
}

# update_switch BACKEND - try `next`; afterwards it runs as a whole, or what ran before does
update_switch() {
  local backend="$1" changed=() sick_before at=0 service
  update_note_images
  if update_is_nothing_new; then
    for service in "${IMAGES[@]}"; do update_untag "$service" next; done
    say "Already up to date"
    return
  fi
  sick_before="$(update_sick_now "$backend")" || exit 1
  if [[ -n "$sick_before" ]]; then say "Not well before the update, so not asked after it: ${sick_before//$'\n'/, }"; fi
  update_begin "$backend"
  trap 'update_interrupted' INT TERM HUP
  say "Writing the units"
  # In a shell of its own, since it ends the shell when it fails.
  # shellcheck disable=SC2034,SC2030 # pod_install reads it
  if ! (POD_BASE="${UPDATE_NEW[base]}" && pod_install "$backend"); then
    update_fail "$backend" "its units could not be written" ''
  fi
  mapfile -t changed < <(update_changed "$backend")
  if [[ "$backend" == kube && ${#changed[@]} -gt 0 ]]; then
    say "Switching the pod: ${changed[*]}"
    update_step "$backend" "$sick_before" "${changed[@]}"
  else
    for service in ${changed[@]+"${changed[@]}"}; do
      at=$((at + 1))
      say "Switching $service ($at of ${#changed[@]})"
      update_step "$backend" "$sick_before" "$service"
    done
  fi
  update_write finishing
  update_finish "$backend"
  update_tell
}

# update_note_images - what runs and what is to run, by id
update_note_images() {
  local name
  for name in "${IMAGES[@]}"; do
    UPDATE_OLD[$name]="$(update_running_id "$name")"
    UPDATE_NEW[$name]="$(update_id "$(image "$name" next)")" ||
      die "the image $(image "$name" next) is gone; nothing was changed" "Run it again."
    UPDATE_PHASE[$name]=waiting
  done
}

update_id() { podman image inspect --format '{{.Id}}' "$1" 2>/dev/null; }

# update_ids_of TAG - of all images that have it
update_ids_of() {
  local name
  for name in "${IMAGES[@]}"; do update_id "$(image "$name" "$1")" || true; done
}

# update_running_id NAME - of the container; `latest` may have been built anew without a restart
update_running_id() {
  podman container inspect --format '{{.Image}}' "$PREFIX-$1" 2>/dev/null || update_id "$(image "$1" latest)"
}

update_is_nothing_new() {
  local name
  for name in "${IMAGES[@]}"; do
    [[ "${UPDATE_NEW[$name]}" == "${UPDATE_OLD[$name]}" ]] || return 1
  done
}

# --- switching

# update_changed BACKEND - the services with another image or another unit
update_changed() {
  local backend="$1" service unit_file pod_changed=
  if [[ "$backend" == kube ]] && ! update_same_file kube "$PREFIX.yaml"; then pod_changed=yes; fi
  for service in "${UPDATE_ORDER[@]}"; do
    unit_file="$PREFIX-$service.container"
    if [[ -n "$pod_changed" || "${UPDATE_NEW[$service]}" != "${UPDATE_OLD[$service]}" ]]; then
      echo "$service"
    elif [[ "$backend" == quadlet ]] && ! update_same_file quadlet "$unit_file"; then
      echo "$service"
    fi
  done
}

# update_same_file BACKEND FILE - whether a unit is as it was before
update_same_file() { cmp --silent "$(update_saved)/$2" "$("$1_place" "$2")"; }

# update_step BACKEND SICK_BEFORE SERVICE... - run these with their new images; ends the update when one is sick
update_step() {
  local backend="$1" sick_before="$2" service reason since asked=()
  shift 2
  since="$(date +%s)"
  for service in "$@"; do UPDATE_PHASE[$service]=switching; done
  update_write switching
  for service in "$@"; do podman tag "${UPDATE_NEW[$service]}" "$(image "$service" latest)"; done
  if ! reason="$(update_restart "$backend" "$@")"; then
    update_fail "$backend" "$reason" "$since" "$@"
  fi
  for service in "$@"; do
    if ! grep -qxF "$service" <<<"$sick_before"; then asked+=("$service"); fi
  done
  if ((${#asked[@]})); then
    reason="$(update_ask "$backend" "${asked[@]}" | update_sick)"
    if [[ -n "$reason" ]]; then update_fail "$backend" "${reason%%$'\n'*}" "$since" "$@"; fi
  fi
  for service in "$@"; do UPDATE_PHASE[$service]=switched; done
  update_write switching
}

# update_restart BACKEND SERVICE... - restart what runs these, wait until they are healthy; otherwise print the reason
update_restart() {
  local backend="$1" unit began=$SECONDS before deaths deaths_before restarts guilty state
  shift
  unit="$("${backend}_unit_of" "$1")"
  before="$(update_containers "$@")"
  deaths_before="$(update_property "$unit" NRestarts)"
  systemctl --user restart --no-block "$unit" || {
    echo "systemd does not restart $unit"
    return 1
  }
  while ((SECONDS - began < UPDATE_LIMIT_S)); do
    state="$(update_property "$unit" ActiveState)"
    if [[ "$state" == active ]] && update_all_new "$before" "$@"; then
      say "  healthy after $((SECONDS - began)) s"
      return 0
    fi
    deaths="$(update_property "$unit" NRestarts)"
    if ((deaths < deaths_before)); then deaths_before=0; fi
    read -r restarts guilty < <(update_deaths "$before" "$@") || restarts=0 guilty=
    deaths=$((deaths - deaths_before + restarts))
    if ((deaths >= UPDATE_TOO_MANY_DEATHS)); then
      echo "${guilty:-$(update_guilty "$backend" "$@")} ended $deaths times within $((SECONDS - began)) s of its start"
      return 1
    fi
    sleep 0.5
  done
  echo "$(update_guilty "$backend" "$@") was not healthy after $UPDATE_LIMIT_S s"
  return 1
}

# update_guilty BACKEND SERVICE... - those of them that are not ready, in one line; all when that cannot be told
update_guilty() {
  local backend="$1" found
  shift
  found="$("${backend}_unready" | cut -d ' ' -f 1 | grep -xF -f <(printf '%s\n' "$@"))" || found="$*"
  echo "${found//$'\n'/ and }"
}

update_property() { systemctl --user show --property "$2" --value "$1"; }

# update_containers SERVICE... - their containers' ids
update_containers() {
  podman container inspect --format '{{.Id}}' "${@/#/$PREFIX-}" 2>/dev/null || true
}

# update_all_new BEFORE SERVICE... - whether each has a container, and none of those from before
update_all_new() {
  local before="$1" now
  shift
  now="$(update_containers "$@")"
  [[ "$(grep -c . <<<"$now")" == "$#" ]] && ! grep -qxF -f <(grep . <<<"$before" || echo none) <<<"$now"
}

# update_deaths BEFORE SERVICE... - a line `DEATHS SERVICE`, most first, for each whose new container Podman itself has
# restarted, as it does in a kube pod; the old one's deaths are not the new one's
update_deaths() {
  local before="$1"
  shift
  # Over those that are not there yet Podman fails, after it has told of the others.
  { podman container inspect --format '{{.Id}} {{.RestartCount}} {{.Name}}' "${@/#/$PREFIX-}" 2>/dev/null || true; } |
    awk -v prefix="$PREFIX-" -v before="${before//$'\n'/ }" \
      '$2 > 0 && !index(before, $1) { sub("^/?" prefix, "", $3); print $2, $3 }' | sort -rn
}

# --- asking

# update_ask BACKEND SERVICE... - what `ai-semble probe` says of them; the old base image asks, the new ones answer
update_ask() {
  local backend="$1" service
  shift
  {
    if quadlet_is_apart; then
      for service in "$@"; do update_probe "$backend" "$service" --network "container:$PREFIX-$service"; done
    else
      update_probe "$backend" "$*" --pod "$PREFIX"
    fi
    for service in "$@"; do printf '%s\tunknown\tit could not be asked\n' "$service"; done
  } | sort --stable --unique --key 1,1
}

# update_probe BACKEND SERVICES PODMAN_OPTION... - ask these where they listen
update_probe() {
  local backend="$1" services="$2" options service section
  shift 2
  options=("$@" --name "$PREFIX-probe" --replace --env "AI_SEMBLE_ENVIRONMENT__NAME=$ENVIRONMENT")
  options+=(--volume "$CONFIG_FOLDER:/etc/ai-semble:ro,z")
  for service in "${POD_SERVICES[@]}"; do
    # Its section of the settings; data-processor's is `data`.
    section="${service%-*}"
    options+=(--env "AI_SEMBLE_${section^^}__PORT=${POD_PORTS[$service]}")
  done
  if [[ "$backend" == kube ]]; then
    options+=(--volume "$PREFIX-token:$KUBE_TOKEN_FOLDER:ro" --env "AI_SEMBLE_TOKEN_FILE=$KUBE_TOKEN_FOLDER/ai-semble-token")
  else
    options+=(--secret "$PREFIX-token,type=mount,target=ai-semble-token,uid=10001,gid=10001,mode=0400")
  fi
  # shellcheck disable=SC2086 # names of services have no spaces
  in_image "${UPDATE_OLD[base]}" "${options[@]}" -- ai-semble probe $services </dev/null || true
}

# update_sick - of such lines a sentence for each that is not well
update_sick() {
  local service verdict reason
  while IFS=$'\t' read -r service verdict reason; do
    if [[ "$verdict" != well ]]; then echo "$service does not answer well: $reason"; fi
  done
}

# update_sick_now BACKEND - the services that answer badly already, which is no new image's fault
update_sick_now() {
  local service verdict reason answers
  answers="$(update_ask "$1" "${UPDATE_ORDER[@]}")"
  while IFS=$'\t' read -r service verdict reason; do
    case "$verdict" in
      sick) echo "$service" ;;
      unknown)
        die "the services cannot be asked, so new images cannot be tried; nothing was changed" \
          "The lines above say why. ./scripts/deploy.sh status shows how the services are."
        ;;
    esac
  done <<<"$answers"
}
