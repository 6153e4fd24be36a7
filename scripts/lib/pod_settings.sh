# The user's settings: whether units and what runs are for them, and what takes them. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_take_settings BACKEND [restart] - write the units anew when the settings are others, since they say what the pod
# reaches, and who reaches it; those of the development pod are always new. What keeps it from starting is said before
# anything is stopped
pod_take_settings() {
  if [[ "$ENVIRONMENT" == dev ]] || pod_settings_are "$("$1_place" "$PREFIX.settings")"; then
    pod_may_start "$1"
    if [[ "${2-}" == restart ]]; then pod_halt "$1"; fi
    return
  fi
  pod_draft "$1"
  pod_may_start "$1" "$POD_DRAFT"
  pod_put "$@"
}

# pod_settings_are FILE - whether these are the user's settings
pod_settings_are() { [[ -e "$1" && "$(pod_settings)" == "$(cat "$1")" ]]; }

# pod_started - the file of the settings that what runs was started with; without it nobody knows
pod_started() { echo "$POD_STATE/started.settings"; }

# pod_note_settings BACKEND - what starts now has those of its units; what runs in part has had others, maybe
pod_note_settings() {
  if pod_is_running "$1"; then return; fi
  install_file "$("$1_place" "$PREFIX.settings")" "$(pod_started)" || rm -f "$(pod_started)"
}

# pod_has_new_settings BACKEND - whether they are not those that it was started with; by its units when not deploy.sh did it
pod_has_new_settings() {
  local file
  file="$(pod_started)"
  if [[ ! -e "$file" ]]; then file="$("$1_place" "$PREFIX.settings")"; fi
  [[ -e "$file" ]] && ! pod_settings_are "$file"
}

# pod_settings - the user's settings, and what was said when the environment was made; none is said where there is no file
pod_settings() {
  cat "$CONFIG_FOLDER/ai-semble.toml" 2>/dev/null || true
  environment_wishes
}
