# How the pod is set up: images, models, settings, secret. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash

# pod_write_config - the settings file, where every key is a comment: what it does not say keeps its default
pod_write_config() {
  local folder file
  folder="$CONFIG_FOLDER"
  file="$folder/ai-semble.toml"
  mkdir -p "$folder"
  # The containers' user is another one than ours.
  chmod 0755 "$folder"
  if [[ ! -e "$file" ]]; then
    {
      echo "# Settings of Ai-semble. Take the # from the lines that you change, then: ./scripts/deploy.sh restart$(environment_words)"
      sed -E '1,2d; s/^([a-z_]+ = )/# \1/' "$CHECKOUT/configs/ai-semble.toml"
    } >"$file.new"
    mv "$file.new" "$file"
    say "Settings: $file"
  fi
  chmod 0644 "$file"
}

# pod_make_secret BACKEND - the token that the services of this environment share; nobody ever sees it
pod_make_secret() {
  "$1_make_secret" || die "the services' shared secret could not be made" "The lines above say why; then run it again."
}

# pod_label_volumes DOMAINS - each volume for its own service, when services have domains; else for any container
#
# Only while nothing runs: a service that runs in its old domain would lose its files.
pod_label_volumes() {
  local name
  has_selinux || return 0
  for name in models data state; do
    if [[ -n "$1" ]]; then
      selinux_label "$(pod_volume "$name")" "ai_semble_${name}_file_t"
    else
      selinux_label "$(pod_volume "$name")" container_file_t
    fi
  done
}

# pod_volume NAME - what Podman calls it; all environments share the models
pod_volume() { if [[ "$1" == models ]]; then echo "$POD_MODELS"; else echo "$PREFIX-$1"; fi; }

# random_token - on stdout, for a pipe; never an argument, which others could see
random_token() { od -An -v -tx1 -N 32 /dev/urandom | tr -d ' \n'; }

# pod_fetch_models - the default models, into the volume that all environments share
pod_fetch_models() {
  podman volume exists "$POD_MODELS" || podman volume create "$POD_MODELS" >/dev/null
  pod_models pull ||
    die "the models could not be fetched" \
      "Do what stands above, then run it again: what is there already is not fetched twice."
}

# pod_models WORD... - `ai-semble models` on the volume
#
# In a shell of its own, so that the copies of the user's logins are gone whichever way it ends.
pod_models() (
  options=(--volume "$POD_MODELS:/var/lib/ai-semble-models" --env "AI_SEMBLE_MODELS_PLACE=the volume $POD_MODELS" --tmpfs /tmp)
  if [[ -d "$CONFIG_FOLDER" ]]; then options+=(--volume "$CONFIG_FOLDER:/etc/ai-semble:ro,z"); fi
  if [[ -t 2 && -t 0 ]]; then options+=(--tty); fi
  mapfile -t -O "${#options[@]}" options < <(selinux_options models_fetcher)
  private="$(private_folder)"
  trap 'rm -rf "$private"' EXIT
  fetching_options "$private" >"$private/options"
  mapfile -t -O "${#options[@]}" options <"$private/options"
  in_image "$(image nlp)" "${options[@]}" -- ai-semble models "$@"
)

# pod_enable_linger - let the services outlive the login, where this user may say so
pod_enable_linger() {
  if [[ -e "/var/lib/systemd/linger/$(id -un)" ]]; then return; fi
  loginctl enable-linger 2>/dev/null ||
    say "The services end when you log out. So that they do not: sudo loginctl enable-linger $(id -un)"
}

# pod_setup BACKEND IMAGES MODELS - everything that a start needs; what is done already is not done again. Empty words
# leave images or models as they are.
pod_setup() {
  local backend="$1" images="$2" models="$3" other name
  [[ "$ENVIRONMENT" != dev ]] || die_usage "dev is the development pod's name" "Start that one: ./scripts/deploy.sh start --dev"
  update_recover "$backend"
  if [[ -n "$images" ]]; then
    say "== images (the first time about 0.4 GB of packages to fetch, and some minutes)"
    build_images || exit 1 # it has said why
  else
    # shellcheck disable=SC2153 # images.sh has them
    pod_images_exist || die "there are not all images: $(for name in "${IMAGES[@]}"; do image "$name"; done | tr '\n' ' ')" \
      "Load them (podman load --input FILE), or build them: ./scripts/setup.sh without --no-images"
  fi
  if ! pod_is_running "$backend"; then pod_label_volumes "$(has_selinux_module && echo all)"; fi
  if [[ -n "$models" ]]; then
    say "== models"
    pod_fetch_models
  fi
  say "== settings, secret, units"
  pod_write_config
  pod_make_secret "$backend"
  for other in quadlet kube; do
    if [[ "$other" != "$backend" ]] && "${other}_is_installed"; then
      pod_stop "$other"
      pod_remove_units "$other"
    fi
  done
  pod_install "$backend"
  pod_enable_linger
}

# pod_prepare_dev BACKEND - what the development pod needs, from the images that are there; written anew at each start
pod_prepare_dev() {
  pod_needs_images
  pod_write_config
  pod_make_secret "$1"
  pod_install "$1" --dev "$CHECKOUT"
}
