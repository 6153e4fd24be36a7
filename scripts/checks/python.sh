#!/usr/bin/env bash
# The embedded mode runs on Python 3.11 or newer; neither pip nor venv is needed.
# for: embedded
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

python="$(find_python 2>/dev/null)" ||
  bad "there is no Python 3.11 or newer" "$(install_command python3), or set AI_SEMBLE_PYTHON to its path"
ok "$("$python" --version 2>&1) ($python)"
