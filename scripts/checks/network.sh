#!/usr/bin/env bash
# Packages and models come from the package index that pip and uv are configured for.
# for: embedded pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

# Python knows all places where an index can be configured; the pod's host need not have it.
if python="$(find_python 2>/dev/null)"; then
  if said="$("$python" "$CHECKOUT/scripts/lib/bootstrap.py" reach 2>&1)"; then
    ok "the package index answers"
  else
    said="${said//$'\n'/ }"
    said="${said#error: }"
    warn "${said%%hint:*}(needed only for the first start)" "${said##*hint:  }"
  fi
  exit
fi
[[ "$MODE" == pod ]] || bad "cannot be checked without Python" "$(install_command python3)"
index="${PIP_INDEX_URL:-https://pypi.org/simple}"
shown="${index#*//}"
shown="${shown##*@}"
# One project's page, since the whole index is long. An address may hold a password, so it is no argument.
said="$(curl --silent --show-error --output /dev/null --max-time 10 \
  ${AI_SEMBLE_CA_BUNDLE:+--cacert "$AI_SEMBLE_CA_BUNDLE"} --config - <<<"url = \"${index%/}/pip/\"" 2>&1)" ||
  warn "${shown%%/*} cannot be reached (${said#curl: }; needed only to build and fetch models)" \
    "Check the network, https_proxy, PIP_INDEX_URL and AI_SEMBLE_CA_BUNDLE"
ok "the package index answers"
