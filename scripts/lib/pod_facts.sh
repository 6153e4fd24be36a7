# What deploy.sh shows of the pod. Facts are gathered here; `ai-semble pod` in the base image makes words of them.
# shellcheck shell=bash

# Journal lines of a service in which its last error is looked for.
POD_LAST_WORDS=60

# pod_facts BACKEND - the sections that ai_semble/pod/facts.py describes; asks Podman four times at most, while the containers run
pod_facts() {
  local backend="$1" port exposed service unit containers
  port="$("${backend}_port" || true)"
  exposed="$("${backend}_exposed" || true)"
  printf '=== meta\nbackend %s\nenvironment %s\nprefix %s\nport %s\nexposed %s\n' \
    "$backend" "$ENVIRONMENT" "$PREFIX" "$port" "$exposed"
  # It complains of each container that is not there; only other complaints are news.
  mapfile -t containers < <(pod_containers)
  printf '=== containers\n'
  podman container inspect "${containers[@]}" 2> >(sed -n '/no such container/I! s/^/complaint /p' >&4) || true
  pod_confinements "${containers[@]}"
  for service in "${POD_SERVICES[@]}"; do
    unit="$("${backend}_unit_of" "$service")"
    printf '\n=== unit %s\n' "$service"
    systemctl --user show --property ActiveState,SubState,Result,NRestarts "$unit" 2>&4 || true
    printf '=== journal %s\n' "$service"
    # Of its unit also what Podman says when the container does not come up.
    journal_lines --lines "$POD_LAST_WORDS" \
      "CONTAINER_NAME=$PREFIX-$service" + "_SYSTEMD_USER_UNIT=$unit" _COMM=podman 2>&4 || true
  done
  pod_ask_health "${port:-8080}"
}

# pod_confinements CONTAINER... - what the kernel says of the first process of each that runs
pod_confinements() {
  local name pid label
  while read -r name pid; do
    [[ -r "/proc/$pid/status" ]] || continue
    printf '\n=== confinement %s\n' "${name#"$PREFIX-"}"
    grep -E '^(Seccomp|NoNewPrivs):' "/proc/$pid/status" || true
    for label in AppArmor:apparmor/current Label:current; do
      printf '%s: %s\n' "${label%%:*}" "$({ tr -d '\0' <"/proc/$pid/attr/${label#*:}"; } 2>/dev/null || true)"
    done
    printf 'Enforcing: %s\n' "$(cat /sys/fs/selinux/enforce 2>/dev/null || true)"
  done < <(podman container inspect --format '{{.Name}} {{.State.Pid}}' "$@" 2>/dev/null || true)
}

# pod_ask_health PORT - the orchestrator's health, which holds all the others'; each by itself when it is silent
pod_ask_health() {
  local answer
  # 503 is an answer, too.
  answer="$(curl --silent --noproxy '*' --max-time 4 "http://127.0.0.1:$1/health" 2>/dev/null || true)"
  if [[ "$answer" == '{'* && "$answer" != *'"services":'* ]]; then
    # Keys are needed; it tells who can read the environment's secret.
    answer="$(timeout 6 podman exec "$PREFIX-orchestrator" bash -c "$POD_ASK_WITH_SECRET" 2>/dev/null || true)"
  fi
  printf '\n=== health\n%s\n' "$answer"
  if [[ "$answer" == '{'* ]]; then return; fi
  pod_ask_each
}

# pod_ask_each - the other services, each by itself, from which SELinux or its network hides the others; all at once
pod_ask_each() {
  local service answers=() answer
  for service in "${POD_SERVICES[@]:1}"; do
    exec {answer}< <(timeout 6 podman exec "$PREFIX-$service" \
      timeout 3 bash -c "$POD_ASK" - "$service" "${POD_PORTS[$service]}" 2>/dev/null)
    answers+=("$answer")
  done
  for answer in "${answers[@]}"; do
    cat <&"$answer"
    exec {answer}<&-
  done
}

# Run inside a container, which has no curl.
# shellcheck disable=SC2016 # its variables are its own
POD_ASK='
printf "\n=== health %s\n" "$1"
exec 3<>"/dev/tcp/127.0.0.1/$2"
printf "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3
while IFS= read -r line <&3 && [[ "$line" != $'"'"'\r'"'"' ]]; do :; done
cat <&3'

# Its health by the secret that ai_semble/secrets.py makes for this.
# shellcheck disable=SC2016 # its variables are its own
POD_ASK_WITH_SECRET='
secret="$(printf "health %s" "$(<"$AI_SEMBLE_TOKEN_FILE")" | sha256sum | cut -d " " -f 1)"
exec 3<>/dev/tcp/127.0.0.1/8080
printf "GET /health HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" "$secret" >&3
while IFS= read -r line <&3 && [[ "$line" != $'"'"'\r'"'"' ]]; do :; done
cat <&3'

# pod_compose WORD... - hand the facts and every complaint to `ai-semble pod WORD...`
pod_compose() {
  local backend="$1" complaints status=0
  shift
  podman image exists "$POD_BASE" 2>/dev/null ||
    die "Ai-semble is not set up: images are missing, or Podman does not work (podman info)" "Make them: ./scripts/setup.sh"
  complaints="$(mktemp)"
  {
    pod_facts "$backend" 4>"$complaints"
    printf '\n=== trouble\n'
    cut -c 1-300 "$complaints" | sort -u | head -n 3
  } | pod_words "$@" || status=$?
  rm -f "$complaints"
  # Podman's own failures are 125 and above.
  if ((status >= 125)); then
    die "Podman cannot run the program that shows this" "Run podman info; podman ps --all shows the containers as they are."
  fi
  return "$status"
}

pod_status() {
  local backend="$1"
  shift
  update_notice
  pod_compose "$backend" status "$@"
}

pod_health() {
  local backend="$1"
  shift
  pod_compose "$backend" health "$@"
}

# pod_logs BACKEND [OPTION...] [SERVICE]
pod_logs() {
  local service='' follow='' raw='' lines=100 since='' filters=() journal=() names=()
  shift
  while (($#)); do
    case "$1" in
      --follow | -f) follow=yes ;;
      --json) raw=yes ;;
      --lines | -n | --request | --action | --level | --since)
        (($# > 1)) || die_usage "$1 needs a value" "./scripts/deploy.sh --help"
        case "$1" in
          --lines | -n) lines="$2" ;;
          --since) since="$2" ;;
          --level) is_level "$2" && filters+=("$1" "$2") ;;
          *) filters+=("$1" "$2") ;;
        esac
        shift
        ;;
      -*) die_usage "logs does not know $1" "./scripts/deploy.sh --help" ;;
      *)
        [[ -z "$service" ]] || die_usage "logs knows one service or all, not $service and $1" "./scripts/deploy.sh --help"
        service="$1"
        ;;
    esac
    shift
  done
  [[ "$lines" =~ ^[0-9]+$ ]] || die_usage "--lines needs a number, not $lines" "./scripts/deploy.sh --help"
  if [[ -n "$service" && " ${POD_SERVICES[*]} " != *" $service "* ]]; then
    die_usage "there is no service $service" "There are: ${POD_SERVICES[*]}"
  fi
  for service in ${service:-"${POD_SERVICES[@]}"}; do names+=("CONTAINER_NAME=$PREFIX-$service"); done
  if [[ -n "$since" ]]; then
    # It may fail for another reason, too, which it says below.
    [[ "$(journalctl --user --quiet --lines 0 --since "$since" 2>&1)" != *parse* ]] ||
      die_usage "--since needs a time, not $since" "Such as: --since '10 minutes ago', --since 14:30, --since '2026-12-31 14:30'"
    journal+=(--since "$since")
  fi
  if [[ -n "$follow" ]]; then journal+=(--follow); fi
  # Lines that do not match must not be counted.
  if ((${#filters[@]} == 0)); then
    journal+=(--lines "$lines")
  elif [[ -z "$follow" ]]; then
    filters+=(--lines "$lines")
  else
    journal+=(--lines all)
  fi
  if [[ -n "$raw" && ${#filters[@]} == 0 ]]; then
    # conmon leaves a line's end in the message.
    journalctl --user --quiet --all "${journal[@]}" --output cat "${names[@]}" |
      { grep --text --line-buffered --invert-match '^$' || { (($? > 1)) || say "no lines match"; }; }
    return
  fi
  if [[ -n "$raw" ]]; then filters+=(--json); fi
  # Ctrl-C ends the reader; what it leaves is no failure.
  trap 'exit 0' INT
  journal_lines "${journal[@]}" "${names[@]}" | pod_words logs --prefix "$PREFIX" ${filters[@]+"${filters[@]}"}
}

is_level() {
  case "$1" in
    debug | info | warning | error | critical) ;;
    *) die_usage "there is no level $1" "There are: debug info warning error critical" ;;
  esac
}
