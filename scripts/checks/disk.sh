#!/usr/bin/env bash
# Packages take 1.4 GB and the default models half a gigabyte; building images takes more for a while.
# for: embedded pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

ENOUGH_WHEN_INSTALLED_MB=300

embedded_place() {
  PLACE="$(data_home)" NEEDED_MB=2500 REMEDY="set XDG_DATA_HOME to a folder on a larger disk"
  if [[ -d "$PLACE/models" ]]; then NEEDED_MB=$ENOUGH_WHEN_INSTALLED_MB; fi
}

pod_place() {
  needs_podman
  PLACE="$(podman info --format '{{.Store.GraphRoot}}' 2>/dev/null)" || PLACE="$(data_home)"
  NEEDED_MB=6000 REMEDY="podman system df shows what images take, podman image prune removes unused ones"
  if podman image exists localhost/ai-semble/nlp:latest 2>/dev/null; then NEEDED_MB=$ENOUGH_WHEN_INSTALLED_MB; fi
}

"${MODE}_place"
while [[ ! -d "$PLACE" ]]; do PLACE="$(dirname "$PLACE")"; done
free_mb="$(df --output=avail -B 1000000 "$PLACE" | tail -n 1 | tr -d ' ')"
((free_mb >= NEEDED_MB)) || bad "$free_mb MB free in $PLACE, $NEEDED_MB MB needed" "Free some space, or $REMEDY"
ok "$((free_mb / 1000)) GB free in $PLACE"
