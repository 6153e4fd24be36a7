#!/usr/bin/env bash
# Packages and models come from the package index that pip and uv are configured for.
# for: embedded pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

python="$(find_python 2>/dev/null)" || bad "cannot be checked without Python" "sudo apt install python3"
if said="$("$python" "$CHECKOUT/scripts/lib/bootstrap.py" reach 2>&1)"; then
  ok "the package index answers"
else
  said="${said//$'\n'/ }"
  warn "${said%%hint:*}(needed only for the first start)" "${said##*hint:  }"
fi
