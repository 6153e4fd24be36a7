#!/usr/bin/env bash
# The five services with the default models take 1 to 2.5 GB.
# for: embedded pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

available_mb="$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1000))"
if ((available_mb >= 3000)); then
  ok "$((available_mb / 1000)) GB available"
elif ((available_mb >= 1500)); then
  warn "$available_mb MB available; not every task fits beside the others" "End other programs"
else
  bad "$available_mb MB available, 1500 MB needed" "End other programs, or use a larger machine"
fi
