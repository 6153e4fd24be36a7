# Which port and which users of the host a new environment gets. Sourced by deploy.sh and setup.sh.
# shellcheck shell=bash
# shellcheck disable=SC2153 # pod.sh sets the names of folders

# The first port tried, and how far the next one is: the embedded mode needs five in a row.
FIRST_PORT=8180
PORT_STEP=10
# As ai_semble/render/variants.py has them.
FIRST_USER=20001
USERS_EACH=5

# while_choosing WORD... - do this while no other environment of this user chooses
while_choosing() {
  local lock status=0
  exec {lock}>"${XDG_RUNTIME_DIR:-$HOME}/ai-semble.choosing.lock"
  flock "$lock"
  "$@" || status=$?
  exec {lock}>&-
  return "$status"
}

# ports_listened_on - on any address, by any user; a line each
ports_listened_on() {
  local local_address state
  while read -r _ local_address _ state _; do
    if [[ "$state" == 0A ]]; then echo "$((16#${local_address##*:}))"; fi
  done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}

# ports_promised [BUT] - what environments of this user have, started or not; but not what this one has
ports_promised() {
  local name port own
  for name in default dev $(environment_names); do
    [[ "$name" != "${1-}" ]] || continue
    port="$(sed -n 's/^port=//p' "$(environment_file "$name")" 2>/dev/null || true)"
    [[ -n "$port" ]] || continue
    echo "$port"
    # The embedded mode has one for each service.
    if grep -qx 'backend=embedded' "$(environment_file "$name")"; then for own in 1 2 3 4; do echo "$((port + own))"; done; fi
  done
  own="ai-semble${1:+-$1}"
  grep -hsE '^PublishPort=|^ *hostPort: ' "$QUADLET_FOLDER"/*.{pod,container} "$KUBE_FOLDER"/*.yaml --with-filename |
    grep -vE "^[^:]*/$own(-orchestrator)?\.(pod|container|yaml):" | sed -nE 's/.*(PublishPort=.*:([0-9]+):[0-9]+|hostPort: ([0-9]+))$/\2\3/p' || true
  # Where the default environment is, or would be, and what the embedded mode takes with it.
  printf '%s\n' "${AI_SEMBLE_ORCHESTRATOR__PORT:-8080}" 8080 8081 8082 8083 8084 18080
}

# free_port NUMBER - print the first of so many free ports in a row
free_port() {
  local -A taken=()
  local port at
  for port in $(ports_listened_on) $(ports_promised "$ENVIRONMENT"); do taken[$port]=yes; done
  for ((port = FIRST_PORT; port < 32768; port += PORT_STEP)); do
    for ((at = port; at < port + $1; at++)); do
      if [[ -n "${taken[$at]-}" ]]; then continue 2; fi
    done
    echo "$port"
    return
  done
  die "there is no free port between $FIRST_PORT and 32767" "Name one: --port N"
}

# check_port PORT NUMBER - die when these ports cannot be this environment's
check_port() {
  local port="$1" at promised listened_on
  [[ "$port" =~ ^[1-9][0-9]{3,4}$ && "$port" -ge 1024 && $((port + $2 - 1)) -le 65535 ]] ||
    die_usage "--port needs a number from 1024 to 65535, not $port" "Leave it out, and a free one is chosen."
  promised=" $(ports_promised "$ENVIRONMENT" | tr '\n' ' ')" listened_on=" $(ports_listened_on | tr '\n' ' ')"
  for ((at = port; at < port + $2; at++)); do
    if [[ "$promised" == *" $at "* ]]; then
      die "port $at belongs to another environment" "./scripts/deploy.sh list shows them; without --port a free one is chosen."
    fi
    if [[ "$listened_on" == *" $at "* ]]; then
      die "port $at is in use by another program" "ss -ltnp 'sport = :$at' names it; without --port a free one is chosen."
    fi
  done
}

# subordinate_ids - how many ids this user has for containers
subordinate_ids() {
  local file option least='' count
  for file in /etc/subuid /etc/subgid; do
    option=()
    if [[ "$file" == /etc/subgid ]]; then option=(-g); fi
    count="$({ grep -hE "^($(id -un)|$UID):" "$file" || getsubids ${option[@]+"${option[@]}"} "$(id -un)" | sed 's/^[0-9]*: //; s/ /:/g'; } 2>/dev/null |
      awk -F: '{ sum += $3 } END { print sum + 0 }')"
    if [[ -z "$least" ]] || ((count < least)); then least="$count"; fi
  done
  echo "$least"
}

# environments_that_fit - beside the default one, with users of the host of their own
environments_that_fit() {
  local fit=$((($(subordinate_ids) - FIRST_USER + 1) / USERS_EACH - 1))
  echo "$((fit > 0 ? fit : 0))"
}

# free_number - print the first that no environment has; 0 where none has room for users of its own
free_number() {
  local -A taken=()
  local number name last
  for name in $(environment_names); do
    if [[ "$name" == "$ENVIRONMENT" ]]; then continue; fi
    number="$(sed -n 's/^number=//p' "$(environment_file "$name")")"
    taken[${number:-0}]=yes
  done
  last="$(environments_that_fit)"
  for ((number = 1; number <= last; number++)); do
    if [[ -z "${taken[$number]-}" ]]; then
      echo "$number"
      return
    fi
  done
  echo 0
}
