# What SELinux of this machine knows of us. Sourced by deploy.sh, setup.sh and the checks.
# shellcheck shell=bash

# has_selinux - whether it is on, enforcing or not
has_selinux() { [[ -e /sys/fs/selinux/enforce ]]; }

# has_selinux_module - whether security/selinux/ is installed; the kernel tells anybody which types it knows
has_selinux_module() { is_selinux_context system_u:system_r:ai_semble_models_fetcher_t:s0; }

is_selinux_context() { { printf '%s' "$1" >/sys/fs/selinux/context; } 2>/dev/null; }

# selinux_options NAME - on stdout, a line each: what runs a container in the domain ai_semble_NAME_t, where there is one
selinux_options() {
  if has_selinux_module; then printf '%s\n' --security-opt "label=type:ai_semble_$1_t"; fi
}

# selinux_label VOLUME TYPE - make the volume, and let all in it have this type; what is made in it later gets it from
# its folder. Podman labels a volume once, when it makes it.
selinux_label() {
  local folder
  podman volume exists "$1" || podman volume create "$1" >/dev/null
  folder="$(podman volume inspect --format '{{.Mountpoint}}' "$1")"
  if [[ "$(stat --format %C "$folder")" == *:"$2":* ]]; then return; fi
  podman unshare chcon --recursive --type "$2" --range s0 "$folder" ||
    die "the volume $1 could not be labelled for SELinux" "Label it as root: chcon --recursive --type $2 --range s0 $folder"
}
