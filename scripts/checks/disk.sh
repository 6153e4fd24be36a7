#!/usr/bin/env bash
# Packages take 1.4 GB, the default models half a gigabyte more.
# for: embedded pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

NEEDED_MB=2500

folder="$(data_home)"
while [[ ! -d "$folder" ]]; do folder="$(dirname "$folder")"; done
free_mb="$(df --output=avail -B 1000000 "$folder" | tail -n 1 | tr -d ' ')"
if ((free_mb >= NEEDED_MB)) || [[ -d "$(data_home)/models" && "$free_mb" -ge 300 ]]; then
  ok "$((free_mb / 1000)) GB free in $folder"
else
  bad "$free_mb MB free in $folder, $NEEDED_MB MB needed" \
    "Free some space, or set XDG_DATA_HOME to a folder on a larger disk"
fi
