# Whether containers can have this machine's GPU. Sourced.
# shellcheck shell=bash

# gpu_driver - version of the loaded driver; nothing without one
gpu_driver() { cat /sys/module/nvidia/version 2>/dev/null || true; }

# gpu_specification - the CDI file that describes NVIDIA GPUs
gpu_specification() { grep -lsE 'nvidia\.com/gpu' /etc/cdi/* /run/cdi/* /var/run/cdi/* 2>/dev/null | head -n 1 || true; }

# gpu_state - none, no-driver, no-cdi, stale or usable
gpu_state() {
  local vendor is_there='' specification library
  for vendor in /sys/bus/pci/devices/*/vendor; do
    [[ -r "$vendor" && "$(<"$vendor")" == 0x10de && "$(<"${vendor%vendor}class")" == 0x03* ]] && is_there=yes
  done
  if [[ -z "$is_there" && ! -e /dev/nvidia0 ]]; then
    echo none
    return
  fi
  if [[ -z "$(gpu_driver)" ]]; then
    echo no-driver
    return
  fi
  specification="$(gpu_specification)"
  if [[ -z "$specification" ]]; then
    echo no-cdi
    return
  fi
  # Every library that it mounts carries the driver's version in its name; after an update they are gone.
  library="$(grep -oE '/[^" ]*libcuda\.so\.[0-9.]+' "$specification" | head -n 1 || true)"
  if [[ -n "$library" && ! -e "$library" ]]; then echo stale; else echo usable; fi
}
