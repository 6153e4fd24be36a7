# Builds the container images. Sourced after common.sh, never run.
# shellcheck shell=bash
#
# What the user can set:
#   AI_SEMBLE_BASE_IMAGE   the Debian image to build on, instead of docker.io/library/debian:trixie-slim
#   AI_SEMBLE_CA_BUNDLE    a PEM file of the certificates to trust, behind a proxy that re-signs TLS
#   SOURCE_DATE_EPOCH      the date that the images bear, instead of the commit's
# and pip's own settings (PIP_... variables, pip.conf) for the package index. They reach the builds as
# secrets: nothing of them stays in an image.

# The base, which the others stand on, and one a service.
IMAGES=(base orchestrator llm vision nlp data-processor)

# image NAME [TAG] - the full name of an image; each environment has names of its own, which an update switches
image() { printf 'localhost/%s/%s:%s\n' "${IMAGES_OF:-ai-semble}" "$1" "${2:-latest}"; }

# build_images [TAG] - all images, the base first; the others stand on the base of the same tag
build_images() {
  local name
  for name in "${IMAGES[@]}"; do
    build_image "$name" "${1:-latest}" || return
  done
}

# build_image NAME [TAG] - one image, with a line of progress and the size that it has
#
# In a shell of its own, so that the secrets are gone whichever way it ends.
build_image() (
  name="$1" tag="${2:-latest}" began=$SECONDS
  folder="$(image_folder "$name")"
  log="$(image_log "$name")"
  secrets="$(private_folder)"
  trap 'rm -rf "$secrets"' EXIT
  # Podman ends on Ctrl-C as on a failure.
  trap 'exit 130' INT
  say "Building $(image "$name" "$tag")"
  image_options "$name" "$tag" "$secrets" >"$secrets/options"
  mapfile -t options <"$secrets/options"
  cd "$CHECKOUT" || exit
  watcher='' failed=''
  if [[ -t 2 ]]; then
    show_build "$log" "$began" &
    watcher=$!
  fi
  podman build "${options[@]}" --tag "$(image "$name" "$tag")" "$folder" >"$log" 2>&1 || failed=yes
  if [[ -n "$watcher" ]]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    show_line ''
  fi
  if [[ -n "$failed" ]]; then die_build "$name" "$log"; fi
  say "  $(image "$name" "$tag"): $((SECONDS - began)) s, $(image_size "$name" "$tag")"
)

# show_build LOG BEGAN - until it is ended: how long the build has taken, and its latest step
show_build() {
  local step
  trap - EXIT
  while sleep 1; do
    step="$(grep 'STEP [0-9]' "$1" | tail -n 1 | sed 's# --mount=[^ ]*##g; s#  *# #g; s#/usr/local/lib/ai-semble/##g')"
    show_line "  $((SECONDS - $2)) s  $step"
  done
}

# image_folder NAME - the folder that holds the image's Containerfile, seen from the checkout
image_folder() {
  case "$1" in
    llm | vision | nlp) echo containers/ai-services ;;
    base | orchestrator | data-processor) echo "containers/$1" ;;
    *) die_usage "there is no image $1" "There are: ${IMAGES[*]}." ;;
  esac
}

# image_options NAME TAG FOLDER - the options of podman build, one a line; what is secret is put into FOLDER
image_options() {
  local name="$1" tag="$2" secrets="$3" bundle
  case "$name" in
    base)
      if [[ -n "${AI_SEMBLE_BASE_IMAGE-}" ]]; then printf '%s\n' --build-arg "BASE_IMAGE=$AI_SEMBLE_BASE_IMAGE"; fi
      ;;
    *)
      printf '%s\n' --build-arg "BASE=$(image base "$tag")" --target "$name"
      ;;
  esac
  printf '%s\n' --timestamp "$(image_date "$name")"
  bundle="$(ca_bundle)" || exit
  if [[ -n "$bundle" ]]; then printf '%s\n' --secret "id=ca_bundle,src=$(realpath "$bundle")"; fi
  if pip_settings "$secrets/pip.conf"; then
    wheel_volumes "$secrets/pip.conf"
    printf '%s\n' --secret "id=pip_conf,src=$secrets/pip.conf"
  fi
}

# ca_bundle - the user's file of certificates, or nothing
ca_bundle() {
  local bundle="${AI_SEMBLE_CA_BUNDLE-}"
  [[ -z "$bundle" || -s "$bundle" ]] || die "AI_SEMBLE_CA_BUNDLE is $bundle, which is no file or an empty one" \
    "Set it to a PEM file of certificates, or unset it."
  printf '%s' "$bundle"
}

# pip_settings FILE - write the user's settings of pip into one file; fails when there are none that can be known
pip_settings() {
  # pip's files are Python's to read; a host without it, or with an old one, has only the variable.
  if python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    python3 "$CHECKOUT/scripts/lib/index_settings.py" >"$1" ||
      die "the settings of pip cannot be read" "Correct what the lines above name (pip config list), then run it again."
  elif [[ -n "${PIP_INDEX_URL-}" ]]; then
    printf '[global]\nindex-url = %s\n' "$PIP_INDEX_URL" >"$1"
  else
    return 1
  fi
}

# wheel_volumes FILE - options, one a line, that show a container the local folders which these settings of pip name
wheel_volumes() {
  local folder
  while IFS= read -r folder; do
    printf '%s\n' --volume "$folder:$folder:ro"
  done < <(sed -n 's/^# folder: //p' "$1")
}

# image_date NAME - when what the image is made of was last changed: the same inputs make the same layers
image_date() {
  local date="${SOURCE_DATE_EPOCH-}"
  if [[ -z "$date" ]]; then
    date="$(git -C "$CHECKOUT" log -1 --format=%ct -- containers/base "$(image_folder "$1")" 2>/dev/null)" || date=
  fi
  # Not a clone: an archive of the sources has no commits.
  echo "${date:-1735689600}"
}

# image_size NAME TAG - for people
image_size() { podman image inspect --format '{{.Size}}' "$(image "$1" "$2")" | awk '{ printf "%.0f MB\n", $1 / 1e6 }'; }

# image_log NAME - where the build's output goes
image_log() {
  local folder="${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/builds"
  if [[ "${IMAGES_OF:-ai-semble}" != ai-semble ]]; then folder+="/$IMAGES_OF"; fi
  mkdir -p "$folder"
  echo "$folder/$1.log"
}

# die_build NAME LOG - the end of the log, and what usually helps
die_build() {
  tail -n 15 "$2" >&2
  die "building the image $1 failed; all of its output is in $2" "$(build_hint "$2")"
}

# build_hint LOG - what to do about this failure
build_hint() {
  case "$(tail -n 60 "$1")" in
    *ertificate*verif* | *CERTIFICATE_VERIFY_FAILED* | *x509:*)
      echo "A proxy re-signs TLS: set AI_SEMBLE_CA_BUNDLE to a PEM file with its certificate, then run this again."
      ;;
    *"no space left"* | *"No space left"*)
      echo "Free some disk space (unused images: podman image prune), then run this again; it goes on."
      ;;
    *"Temporary failure resolving"* | *"Could not resolve"* | *"Name or service not known"* | *"onnection timed out"*)
      echo "The network did not answer. Behind a proxy set https_proxy and http_proxy; a mirror of the package index" \
        "goes into pip.conf, one of Debian's image into AI_SEMBLE_BASE_IMAGE. Then run this again; it goes on."
      ;;
    *"initializing source docker://localhost"* | *"pinging container registry localhost"*)
      echo "The base image is missing: podman build -t localhost/ai-semble/base:latest containers/base/"
      ;;
    *"initializing source docker://"* | *"pinging container registry"*)
      echo "The Debian image could not be fetched. Set AI_SEMBLE_BASE_IMAGE to one that this host can reach, then run this again."
      ;;
    *) echo "The lines above say why. Run this again: what is built is not built twice." ;;
  esac
}
