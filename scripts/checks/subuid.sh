#!/usr/bin/env bash
# Rootless containers need a range of subordinate user and group ids.
# for: pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

name="$(id -un)"
for file in /etc/subuid /etc/subgid; do
  grep -q "^\($name\|$UID\):" "$file" 2>/dev/null ||
    bad "$name has no range in $file" \
      "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $name"
done
ok "$name has subordinate ids"
