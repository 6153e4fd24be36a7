# What a container needs to fetch as this user would. Sourced by pod_setup.sh.
# shellcheck shell=bash

# fetching_options FOLDER - options of podman run, one a line: index, registry, logins and certificates, copied into
# FOLDER, which others cannot enter. Proxies are passed on by Podman itself.
fetching_options() {
  local given="$1/given" option
  mkdir -m 0755 "$given"
  if [[ -n "${AI_SEMBLE_CA_BUNDLE-}" ]]; then
    [[ -s "$AI_SEMBLE_CA_BUNDLE" ]] || die "AI_SEMBLE_CA_BUNDLE is $AI_SEMBLE_CA_BUNDLE, which is no file or an empty one" \
      "Set it to a PEM file of certificates, or unset it."
    cp "$AI_SEMBLE_CA_BUNDLE" "$given/ca.pem"
    printf '%s\n' --env PIP_CERT=/run/given/ca.pem
  fi
  if pip_settings "$given/pip.conf"; then
    while IFS= read -r option; do
      printf '%s\n' --volume "$option:$option:ro"
    done < <(sed -n 's/^# folder: //p' "$given/pip.conf")
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
