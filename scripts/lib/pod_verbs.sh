# What deploy.sh does with the pod: start, stop, restart, uninstall. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

pod_is_running() {
  local backend="$1" unit
  for unit in $("${backend}_units"); do
    if systemctl --user --quiet is-active "$unit" 2>/dev/null; then return 0; fi
  done
  return 1
}

pod_start() {
  local backend="$1"
  pod_needs_images
  "${backend}_is_installed" || die "Ai-semble is not set up: there are no units" "Make them: ./scripts/setup.sh"
  update_recover "$backend"
  if systemctl --user --quiet is-active "$PREFIX.target" && [[ -z "$("${backend}_unready")" ]]; then
    say "Ai-semble is already running"
  else
    pod_take_settings "$backend"
    say "Starting the pod $PREFIX"
    pod_check_domains "$backend"
    pod_label_volumes "$(pod_domains "$backend")"
    pod_own_volumes
    pod_fit_network "$backend"
    "${backend}_prepare"
    systemctl --user daemon-reload
    # shellcheck disable=SC2046 # names of units have no spaces
    systemctl --user reset-failed $("${backend}_units") 2>/dev/null || true
    pod_note_settings "$backend"
    systemctl --user --quiet enable "$PREFIX.target" 2>/dev/null || true
    systemctl --user start --no-block "$PREFIX.target" ||
      die "systemd does not start $PREFIX.target" "systemctl --user status $PREFIX.target says why; ./scripts/setup.sh writes the units anew."
    pod_wait "$backend" || true
  fi
  pod_status "$backend" --started
}

# pod_check_domains BACKEND - no container starts in a domain that the kernel does not know any more
pod_check_domains() {
  if has_selinux && ! has_selinux_module && [[ -n "$(pod_domains "$1")" ]]; then
    die "the units name domains of the SELinux module ai_semble, which is not installed" \
      "sudo ./scripts/install-security.sh brings it back; ./scripts/setup.sh writes units that do without it."
  fi
}

# pod_domains BACKEND - the domains of our SELinux module that the units name; another environment may still do without
pod_domains() { pod_installed "$1" | xargs -r -d '\n' grep -hsoE 'ai_semble_[a-z_]+_t$' || true; }

# pod_wait BACKEND - until all are healthy; fails when that will not come, or not in time
pod_wait() {
  local backend="$1" began=$SECONDS asked unready before='' shown
  trap 'say; say "Interrupted; the services go on starting: ./scripts/deploy.sh status$(environment_words)"; exit 130' INT
  while ((SECONDS - began < POD_START_LIMIT_S)); do
    asked=$SECONDS
    unready="$("${backend}_unready")"
    shown="$(tr '\n' ',' <<<"$unready" | sed 's/,$//; s/,/, /g')"
    if [[ -t 2 ]]; then
      show_line "$((SECONDS - began)) s${shown:+  waiting for $shown}"
    elif [[ "$unready" != "$before" && -n "$unready" ]]; then
      say "  $((SECONDS - began)) s  waiting for $shown"
    fi
    before="$unready"
    if [[ -z "$unready" ]]; then
      if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
      say "Ready after $((SECONDS - began)) s"
      trap - INT
      return 0
    fi
    if pod_has_given_up "$backend"; then break; fi
    # Where asking takes long, the services need the time more.
    sleep "$((2 * (SECONDS - asked))).5"
  done
  if [[ -t 2 ]]; then printf '\n' >&2; fi
  trap - INT
  return 1
}

# pod_has_given_up BACKEND - whether waiting longer is of no use
pod_has_given_up() {
  local backend="$1" key value
  # shellcheck disable=SC2046 # names of units have no spaces
  while IFS='=' read -r key value; do
    case "$key" in
      NRestarts) if ((value >= POD_TOO_MANY_RESTARTS)); then return 0; fi ;;
      ActiveState) if [[ "$value" == failed ]]; then return 0; fi ;;
    esac
  done < <(systemctl --user show --property NRestarts,ActiveState $("${backend}_units"))
  return 1
}

pod_stop() {
  pod_disable
  pod_halt "$1"
}

# pod_disable - it does not start by itself after this
pod_disable() { systemctl --user --quiet disable "$PREFIX.target" 2>/dev/null || true; }

# pod_halt BACKEND - stop it, and say so; the machine's next start still starts it when it has
pod_halt() {
  local was_running=
  if pod_is_running "$1"; then was_running=yes; fi
  pod_end "$1"
  if [[ -n "$was_running" ]]; then say "Stopped"; else say "Ai-semble is not running"; fi
}

# pod_end BACKEND - nothing of the pod runs after this
pod_end() {
  local known
  known="$(pod_known_units "$1")" || die "systemd of this user does not answer" "./scripts/setup.sh --check says why."
  if [[ -n "$known" ]]; then
    # shellcheck disable=SC2086 # names of units have no spaces
    systemctl --user stop $known ||
      die "the pod $PREFIX does not stop" "systemctl --user status '$PREFIX*' says what waits; then stop again."
  fi
  # What was started by hand, or left by a crash, is ended too.
  if podman pod exists "$PREFIX" 2>/dev/null; then podman pod rm --force --time 12 "$PREFIX" >/dev/null; fi
  pod_remove_containers
  rm -f "$(pod_started)"
}

# pod_known_units BACKEND - those that systemd knows; it refuses to stop any other, as after half a setup
pod_known_units() {
  # shellcheck disable=SC2046 # names of units have no spaces
  systemctl --user list-units --all --full --plain --no-legend $("$1_units") |
    awk '$2 == "loaded" || $3 != "inactive" { print $1 }'
}

pod_restart() {
  pod_take_settings "$1" restart
  pod_start "$1"
}

# pod_remove_units BACKEND
pod_remove_units() {
  local file made units
  mapfile -t units < <("$1_units")
  while IFS= read -r file; do rm -f "$file"; done < <(pod_installed "$1")
  mapfile -t made < <("$1_made")
  if pod_owns_models || pod_is_last; then
    rm -f "$QUADLET_FOLDER/$POD_MODELS.volume"
    made+=("$POD_MODELS-volume.service")
  fi
  if pod_owns_images; then rm -rf "$SECCOMP_FOLDER"; fi
  # systemd makes the one above it, and leaves it.
  if is_named "$ENVIRONMENT" && ! compgen -G "$UNIT_FOLDER/ai-semble-*.slice" >/dev/null; then made+=(ai-semble.slice); fi
  # Were they still active, the next pod would find no network.
  if ((${#made[@]})); then systemctl --user stop "${made[@]}" 2>/dev/null || true; fi
  # A unit that failed is listed even without its file.
  systemctl --user reset-failed "${units[@]}" 2>/dev/null || true
  rmdir "$QUADLET_FOLDER" "$KUBE_FOLDER" 2>/dev/null || true
  systemctl --user daemon-reload
}

# pod_is_last - whether this user has no other environment
pod_is_last() { [[ -z "$(pod_environments | sed "/ $ENVIRONMENT\$/d")" ]]; }

# pod_owns_images - whether nobody else needs its images and profiles
pod_owns_images() { is_named "$ENVIRONMENT" || pod_is_last; }

# pod_owns_models - the same of its models; those that are shared go with the default environment
pod_owns_models() { if is_named "$ENVIRONMENT"; then [[ "$POD_MODELS" == "$PREFIX-models" ]]; else pod_is_last; fi; }

# pod_belongings WITH_DATA - a line `KIND NAME` for all that is there of this environment; data only when asked
pod_belongings() {
  local backend network
  for backend in quadlet kube; do pod_installed "$backend"; done | sort -u | sed 's/^/unit /'
  {
    if podman pod exists "$PREFIX"; then echo "pod $PREFIX"; fi
    for network in "$PREFIX" "$PREFIX-inside"; do
      if podman network exists "$network"; then echo "network $network"; fi
    done
    if podman secret inspect "$PREFIX-token" >/dev/null; then echo "secret $PREFIX-token"; fi
    if podman volume exists "$PREFIX-token"; then echo "volume $PREFIX-token"; fi
    if pod_owns_images; then
      podman images --format '{{.Repository}}:{{.Tag}}' | sed -n "s#^localhost/$IMAGES_OF/#image &#p"
      (cd "$SECCOMP_FOLDER" && printf 'profile %s\n' *)
    fi
    if [[ -n "$1" ]]; then pod_volumes | sed 's/^/volume /'; fi
  } 2>/dev/null || true
}

# pod_volumes - what this environment keeps: its data and jobs, and the models when it is the last one
pod_volumes() {
  local name volumes=("$PREFIX-data" "$PREFIX-state")
  if pod_owns_models; then volumes+=("$POD_MODELS"); fi
  for name in "${volumes[@]}"; do
    if podman volume exists "$name" 2>/dev/null; then echo "$name"; fi
  done
}

# pod_in_words - lines `KIND NAME` on stdin, as `13 units, the pod ai-semble, the volumes a b`
pod_in_words() {
  awk '
    !($1 in number) { kinds[++last] = $1 }
    { number[$1]++; names[$1] = names[$1] " " $2 }
    END {
      for (at = 1; at <= last; at++) {
        kind = kinds[at]
        many = (number[kind] > 1) ? "s" : ""
        words = (kind ~ /unit|image|profile/) ? number[kind] " " kind many : "the " kind many names[kind]
        printf("%s%s", (at > 1) ? ", " : "", words)
      }
    }'
}

# pod_uninstall CONFIRMED WITH_DATA - take away what setup and start made, be it whole or not; data stay unless asked
pod_uninstall() {
  local confirmed="$1" with_data="$2" there left what volumes
  there="$(pod_belongings "$with_data")"
  what="$(pod_in_words <<<"$there")"
  ask "$confirmed" "Remove of the environment $ENVIRONMENT: $what?"
  pod_take_away "$with_data"
  left="$(pod_belongings "$with_data")"
  [[ -z "$left" ]] || die "$(pod_in_words <<<"$left") could not be removed" "The lines above say why; then run it again."
  say "Removed $what"
  if ! pod_owns_images; then
    say "Kept, since other environments use them: the images and models"
  elif ! pod_owns_models; then
    say "Kept, since other environments use them: the models"
  fi
  mapfile -t volumes < <(pod_volumes)
  if ((${#volumes[@]})); then
    say "Kept the volumes ${volumes[*]}; away with them, too: podman volume rm ${volumes[*]}"
  fi
  if [[ -d "$CONFIG_FOLDER" ]]; then say "Kept your settings: $CONFIG_FOLDER"; fi
  if is_named "$ENVIRONMENT"; then say "Away with all of it: ./scripts/deploy.sh env delete $ENVIRONMENT"; fi
  # Layers without a name may be another project's, too.
  if pod_is_last; then say "Kept what builds have left; away with it, of all projects: podman image prune"; fi
}

# pod_take_away WITH_DATA - end it, and remove all of it that is there; data only when asked
pod_take_away() {
  local there kind name
  there="$(pod_belongings "$1")"
  pod_disable
  # Quadlet's units are kube's, and more.
  pod_end quadlet
  for name in quadlet kube; do pod_remove_units "$name"; done
  update_drop
  while read -r kind name; do
    case "$kind" in
      unit | pod | profile) ;; # these are gone
      secret) podman secret rm "$name" ;;
      *) podman "$kind" rm --force "$name" ;;
    esac >/dev/null || true
  done <<<"$there"
}

# ask CONFIRMED QUESTION - go on only when somebody said yes
ask() {
  local answer
  if [[ -n "$1" ]]; then return; fi
  [[ -t 0 ]] || die "nobody is there to confirm: $2" "Say it beforehand: --yes"
  read -r -p "$2 [y/N] " answer
  [[ "$answer" == [yY]* ]] || die "nothing was removed" "Answer y, or say --yes."
}
