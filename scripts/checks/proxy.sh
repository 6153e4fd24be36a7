#!/usr/bin/env bash
# Behind a proxy that re-signs TLS the builds need its CA bundle; it is used then and never kept.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

bundle="${AI_SEMBLE_CA_BUNDLE-}"
[[ -z "$bundle" || -r "$bundle" ]] ||
  bad "AI_SEMBLE_CA_BUNDLE is $bundle, which cannot be read" "Set it to a file of PEM certificates, or unset it"
if [[ -n "$bundle" ]] && ! grep -q 'BEGIN CERTIFICATE' "$bundle"; then
  bad "AI_SEMBLE_CA_BUNDLE is $bundle, which holds no PEM certificate" "Set it to the proxy's CA bundle"
fi
proxy="${https_proxy:-${HTTPS_PROXY-}}"
if [[ -z "$proxy" ]]; then
  ok "no proxy${bundle:+, CA bundle $bundle}"
  exit
fi
# An address may hold a password, so none is shown or an argument; curl knows the variable of the proxy itself.
shown="${proxy##*@}"
index="${PIP_INDEX_URL:-https://pypi.org/simple}"
status=0
curl --silent --output /dev/null --max-time 10 ${bundle:+--cacert "$bundle"} \
  --config - <<<"url = \"${index%/}/pip/\"" || status=$?
case "$status" in
  0) ok "proxy $shown answers${bundle:+, CA bundle $bundle}" ;;
  60) warn "the proxy $shown re-signs TLS" "Set AI_SEMBLE_CA_BUNDLE to the file with its CA certificate" ;;
  *) warn "the proxy $shown does not let curl through (status $status)" "Check https_proxy; curl -v https://pypi.org says more" ;;
esac
