# What a container needs to fetch as this user would. Sourced by pod_setup.sh.
# shellcheck shell=bash

# fetching_options FOLDER - options of podman run, one a line: index, registry, logins and certificates, copied into
# FOLDER, which others cannot enter. Proxies are passed on by Podman itself.
fetching_options() {
  local given="$1/given" bundle option
  mkdir -m 0755 "$given"
  bundle="$(ca_bundle)" || exit
  if [[ -n "$bundle" ]]; then
    cp "$bundle" "$given/ca.pem"
    printf '%s\n' --env PIP_CERT=/run/given/ca.pem
  fi
  if pip_settings "$given/pip.conf"; then
    wheel_volumes "$given/pip.conf"
    printf '%s\n' --env PIP_CONFIG_FILE=/run/given/pip.conf
  fi
  if [[ -r "$HOME/.npmrc" ]]; then
    cp "$HOME/.npmrc" "$given/npmrc"
    printf '%s\n' --env NPM_CONFIG_USERCONFIG=/run/given/npmrc
  fi
  if [[ -r "${NETRC:-$HOME/.netrc}" ]]; then
    cp "${NETRC:-$HOME/.netrc}" "$given/netrc"
    printf '%s\n' --env NETRC=/run/given/netrc
  fi
  # Of these only the names stand on the command line; the values are taken from the variables.
  for option in HF_ENDPOINT HF_TOKEN; do
    if [[ -n "${!option-}" ]]; then printf '%s\n' --env "$option"; fi
  done
  find "$given" -type f -exec chmod 0644 {} +
  printf '%s\n' --volume "$given:/run/given:ro,z"
}
