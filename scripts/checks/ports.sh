#!/usr/bin/env bash
# The pod publishes 8080 on 127.0.0.1; the embedded services listen there on 8080 to 8084.
# for: embedded pod
set -euo pipefail
# shellcheck source=scripts/lib/findings.sh
source "$(dirname "$0")/../lib/findings.sh"

declare -A ports=([ORCHESTRATOR]="${AI_SEMBLE_ORCHESTRATOR__PORT:-8080}")
if [[ "$MODE" == embedded ]]; then
  ports+=(
    [LLM]="${AI_SEMBLE_LLM__PORT:-8081}"
    [VISION]="${AI_SEMBLE_VISION__PORT:-8082}"
    [NLP]="${AI_SEMBLE_NLP__PORT:-8083}"
    [DATA]="${AI_SEMBLE_DATA__PORT:-8084}"
  )
fi

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

is_ours() { curl --silent --fail --noproxy '*' --max-time 2 "http://127.0.0.1:$1/health/live" >/dev/null 2>&1; }

for section in "${!ports[@]}"; do
  port="${ports[$section]}"
  if answers "$port" && ! is_ours "$port"; then
    bad "port $port is in use by another program" \
      "Stop it (ss -ltnp 'sport = :$port' names it), or set AI_SEMBLE_${section}__PORT to another port"
  fi
done
if [[ "$MODE" == pod ]]; then
  ((ports[ORCHESTRATOR] >= 1024)) || bad "port ${ports[ORCHESTRATOR]} is only for root" "Set AI_SEMBLE_ORCHESTRATOR__PORT to 1024 or more"
  ok "${ports[ORCHESTRATOR]} is free, or ours"
else
  ok "${ports[ORCHESTRATOR]} and its neighbours are free, or ours"
fi
