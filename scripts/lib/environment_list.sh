# `deploy.sh list`: every environment of this user, and what it uses. Sourced by deploy.sh.
# It asks systemd once and Podman three times, however many there are; what takes longer than a moment is left out.
# shellcheck shell=bash

# Between two looks at the time that processors have worked.
LIST_LOOK_S=0.2
# A large folder takes longer to add up; then its size is not shown.
LIST_DISK_S=0.5

# Of each environment, by `BACKEND NAME`.
declare -A LIST_STATE LIST_PORT LIST_SERVICES LIST_MEMORY LIST_CPU LIST_DISK

# environment_list [--json]
environment_list() {
  local entries=() folder
  mapfile -t entries < <(list_entries)
  if ((${#entries[@]} == 0)); then
    if [[ -n "${1-}" ]]; then echo '[]'; fi
    say "There is none. Make one: ./scripts/setup.sh"
    return
  fi
  folder="$(mktemp -d)"
  list_ask_podman "$folder" "${entries[@]}" &
  list_ask_systemd "${entries[@]}"
  wait
  list_read_containers "$folder/containers"
  list_read_use "$folder/first" "$folder/second" "$folder/times"
  list_read_disk "$folder/disk"
  rm -rf "$folder"
  if [[ -n "${1-}" ]]; then list_json "${entries[@]}"; else list_table "${entries[@]}"; fi
}

# list_entries - a line `BACKEND NAME` for each, the default one first
list_entries() {
  local name
  {
    pod_environments
    if embedded_is_installed; then echo "embedded default"; fi
    for name in $(environment_names); do
      environment_read "$name"
      if [[ "${DEFINITION[backend]-}" == embedded || ! -e "$QUADLET_FOLDER/ai-semble-$name.network" && ! -e "$KUBE_FOLDER/ai-semble-$name.yaml" ]]; then
        echo "${DEFINITION[backend]:-quadlet} $name"
      fi
    done
  } | sort -u -k 2,2 -k 1,1 |
    awk '$2 == "default" { first = first $0 "\n"; next } { rest = rest $0 "\n" } END { printf "%s%s", first, rest }'
}

list_prefix() { if [[ "$1" == default ]]; then echo ai-semble; else echo "ai-semble-$1"; fi; }

# list_ask_podman FOLDER ENTRY... - write there what Podman and the kernel say
list_ask_podman() {
  local folder="$1" entry name
  shift
  if command -v podman >/dev/null 2>&1; then
    podman ps --all --format '{{.Names}} {{.Pid}} {{.State}}' >"$folder/containers" 2>/dev/null &
    podman volume ls --format '{{.Name}} {{.Mountpoint}}' >"$folder/volumes" 2>/dev/null &
    wait
  fi
  touch "$folder/containers" "$folder/volumes" "$folder/disk"
  {
    grep -E ' [1-9][0-9]* ' "$folder/containers" | sed -nE 's/^(ai-semble(-[a-z0-9-]+)?)-(orchestrator|llm|vision|nlp|data-processor) ([0-9]+) .*/pod \1 \4/p' || true
    for entry in "$@"; do
      name="${entry#* }"
      if [[ "$entry" == embedded* ]]; then
        grep -ohE '"pid": ?[0-9]+' "$(list_supervisor "$name")" 2>/dev/null | sed "s/.*[: ]/embedded $name /" || true
      fi
    done
  } >"$folder/processes"
  list_ask_disk "$folder" "$@" &
  list_look "$folder/processes" >"$folder/first"
  echo "$EPOCHREALTIME" >"$folder/times"
  if [[ -s "$folder/processes" ]]; then sleep "$LIST_LOOK_S"; fi
  list_look "$folder/processes" >"$folder/second"
  echo "$EPOCHREALTIME" >>"$folder/times"
  wait
}

list_supervisor() { echo "${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/$1/run/supervisor.json"; }

# list_ask_disk FOLDER ENTRY... - a line `KIB PATH` for each volume and folder that is added up in time
list_ask_disk() {
  local folder="$1" entry paths=() data
  shift
  mapfile -t paths < <(sed -nE 's/^ai-semble(-[a-z0-9-]+)?-(data|state|models) //p' "$folder/volumes")
  data="$(data_home)"
  for entry in "$@"; do
    if [[ "$entry" == embedded* ]]; then paths+=("$data/environments/${entry#* }" "${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/${entry#* }"); fi
  done
  if ((${#paths[@]} == 0)); then return; fi
  if command -v podman >/dev/null 2>&1; then
    podman unshare timeout "$LIST_DISK_S" du -sk "${paths[@]}" 2>/dev/null
  else
    timeout "$LIST_DISK_S" du -sk "${paths[@]}" 2>/dev/null
  fi | while read -r size path; do
    entry="$(sed -nE "s#^([^ ]+) $path\$#\\1#p" "$folder/volumes" | head -n 1)"
    echo "$size ${entry:-$path}"
  done >"$folder/disk" || true
}

# list_look FILE - of lines `KIND NAME PID` a line `KIND NAME BYTES MICROSECONDS` each: memory, and the time of processors
list_look() {
  awk '
    function first(path, value) { value = ""; getline value < path; close(path); return value }
    {
      path = ""
      while ((getline line < ("/proc/" $3 "/cgroup")) > 0) if (line ~ /^0::/) path = "/sys/fs/cgroup" substr(line, 4)
      close("/proc/" $3 "/cgroup")
      bytes = 0; used = 0
      if ($1 == "pod" && path != "") {
        bytes = first(path "/memory.current")
        while ((getline line < (path "/cpu.stat")) > 0) if (line ~ /^usage_usec /) used = substr(line, 12)
        close(path "/cpu.stat")
      }
      if ($1 != "pod" || bytes == "") {
        number = 0
        if ($1 == "pod") {
          while ((getline line < (path "/cgroup.procs")) > 0) pids[++number] = line
          close(path "/cgroup.procs")
        } else pids[++number] = $3
        bytes = 0
        for (at = 1; at <= number; at++) {
          split(first("/proc/" pids[at] "/statm"), words, " ")
          bytes += words[2] * 4096
          if ($1 != "pod") {
            line = first("/proc/" pids[at] "/stat")
            sub(/^.*\) /, "", line)
            split(line, words, " ")
            used += (words[12] + words[13]) * 10000
          }
        }
      }
      printf "%s %s %.0f %.0f\n", $1, $2, bytes, used
    }' "$1"
}

# list_ask_systemd ENTRY... - set LIST_STATE and LIST_PORT
list_ask_systemd() {
  local entry backend name prefix target unit units=() id='' state key value
  local -A active=()
  for entry in "$@"; do
    prefix="$(list_prefix "${entry#* }")"
    if [[ "$entry" != embedded* ]]; then units+=("$prefix.target" "$prefix-pod.service"); fi
  done
  if ((${#units[@]})); then
    while IFS='=' read -r key value; do
      case "$key" in
        Id) id="$value" ;;
        ActiveState) active[$id]="$value" ;;
      esac
    done < <(systemctl --user show --property Id,ActiveState "${units[@]}" 2>/dev/null)
  fi
  for entry in "$@"; do
    backend="${entry% *}" name="${entry#* }" prefix="$(list_prefix "${entry#* }")"
    pod_choose "$name"
    LIST_PORT[$entry]="${DEFINITION[port]-}"
    if [[ -z "${LIST_PORT[$entry]}" ]]; then LIST_PORT[$entry]="$("${backend}_port" 2>/dev/null || true)"; fi
    if [[ "${DEFINITION[state]-}" == making ]]; then
      state="half made"
    elif [[ "$backend" == embedded ]]; then
      state="$(list_embedded_state "$name")"
    elif ! "${backend}_is_installed"; then
      state="not set up"
    else
      target="$prefix.target" unit="$prefix-pod.service"
      case "${active[$target]-}/${active[$unit]-}" in
        active/*) state=running ;;
        */active | */activating | */deactivating) state="not well" ;;
        */failed) state=failed ;;
        *) state=stopped ;;
      esac
    fi
    LIST_STATE[$entry]="$state"
  done
}

# list_embedded_state NAME - asking the program takes a moment for each, so only the default one is asked
list_embedded_state() {
  local pid
  if [[ "$1" == default ]]; then
    if embedded_is_running; then echo running; else echo stopped; fi
    return
  fi
  pid="$(sed -nE 's/^\{"pid": ?([0-9]+).*/\1/p' "$(list_supervisor "$1")" 2>/dev/null || true)"
  if [[ -n "$pid" ]] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'ai.semble'; then echo running; else echo stopped; fi
}

# list_read_containers FILE - how many services run, of how many
list_read_containers() {
  local name prefix
  local -A running=()
  while read -r name; do running[$name]=$((${running[$name]:-0} + 1)); done < <(
    sed -nE 's/^(ai-semble(-[a-z0-9-]+)?)-(orchestrator|llm|vision|nlp|data-processor) .*running$/\1/Ip' "$1"
  )
  for name in "${entries[@]}"; do
    prefix="$(list_prefix "${name#* }")"
    LIST_SERVICES[$name]="${running[$prefix]:-0}"
    if [[ "$name" == embedded* ]]; then LIST_SERVICES[$name]="$(grep -oE '"phase": ?"running"' "$(list_supervisor "${name#* }")" 2>/dev/null | grep -c . || true)"; fi
    if [[ "${LIST_STATE[$name]}" == stopped ]]; then LIST_SERVICES[$name]=0; fi
  done
}

# list_read_use FIRST SECOND TIMES - memory in bytes, and processors in hundredths
list_read_use() {
  local kind name bytes hundredths entry key
  while read -r kind name bytes hundredths; do
    entry="$name"
    if [[ "$kind" == pod ]]; then
      entry="${name#ai-semble}"
      entry="${entry#-}"
      entry="${entry:-default}"
    fi
    for kind in quadlet kube embedded; do
      key="$kind $entry"
      if [[ "${LIST_STATE[$key]:-stopped}" != stopped ]]; then
        LIST_MEMORY[$key]="$bytes"
        LIST_CPU[$key]="$hundredths"
      fi
    done
  done < <(awk '
    FILENAME == ARGV[1] { time[++times] = $1; next }
    FILENAME == ARGV[2] { before[$1 " " $2] += $4; next }
    { bytes[$1 " " $2] += $3; after[$1 " " $2] += $4 }
    END {
      for (one in bytes) {
        used = (after[one] - before[one]) / ((time[2] - time[1]) * 10000)
        printf "%s %.0f %.0f\n", one, bytes[one], used < 0 ? 0 : used
      }
    }' "$3" "$1" "$2")
}

# list_read_disk FILE - bytes of what it keeps; nothing where a part of it was not added up in time
list_read_disk() {
  local entry name prefix size path
  local -A sizes=()
  while read -r size path; do sizes[$path]="$size"; done <"$1"
  for entry in "${entries[@]}"; do
    name="${entry#* }" prefix="$(list_prefix "${entry#* }")"
    if [[ "$entry" == embedded* ]]; then
      set -- "$(data_home)/environments/$name" "${XDG_STATE_HOME:-$HOME/.local/state}/ai-semble/$name"
    else
      set -- "$prefix-data" "$prefix-state"
    fi
    size=0
    # The default one's models are everybody's.
    if is_named "$name"; then size="${sizes["$prefix-models"]:-0}"; fi
    if [[ -n "${sizes[$1]-}" && -n "${sizes[$2]-}" ]]; then
      LIST_DISK[$entry]="$(((sizes[$1] + sizes[$2] + size) * 1024))"
    fi
  done
}

list_table() {
  local entry name
  {
    echo "environment|backend|state|port|services|cpus|memory|disk|gpu|created|owner"
    for entry in "$@"; do
      name="${entry#* }"
      environment_read "$name"
      printf '%s|%s|%s|%s|%s/5|%s|%s|%s|%s|%s|%s\n' "$name" "${entry% *}" "${LIST_STATE[$entry]}" "${LIST_PORT[$entry]:--}" \
        "${LIST_SERVICES[$entry]:-0}" "$(list_cpus "${LIST_CPU[$entry]-}")" "$(list_bytes "${LIST_MEMORY[$entry]-}" "${DEFINITION[memory]-}")" \
        "$(list_bytes "${LIST_DISK[$entry]-}" '')" "${DEFINITION[gpu]:-all}" "$(list_day)" "${DEFINITION[owner]:-$(id -un)}"
    done
  } | awk -F '|' '
    { for (at = 1; at <= NF; at++) { cell[NR, at] = $at; if (length($at) > width[at]) width[at] = length($at) } }
    END {
      for (row = 1; row <= NR; row++) {
        line = ""
        for (at = 1; at <= NF; at++) line = line sprintf("%-" (width[at] + 2) "s", cell[row, at])
        sub(/ +$/, "", line)
        print line
      }
    }'
}

# list_cpus HUNDREDTHS - what works, of what may
list_cpus() {
  local used='-'
  if [[ -n "$1" ]]; then printf -v used '%d.%02d' "$(($1 / 100))" "$(($1 % 100))"; fi
  echo "$used${DEFINITION[cpus]:+/${DEFINITION[cpus]}}"
}

# list_bytes BYTES LIMIT
list_bytes() {
  local used='-'
  if [[ -n "$1" ]]; then
    if (($1 >= 1000000000)); then printf -v used '%d.%d GB' "$(($1 / 1000000000))" "$(($1 / 100000000 % 10))"; else used="$((($1 + 500000) / 1000000)) MB"; fi
  fi
  echo "$used${2:+/${2^^}B}"
}

list_day() { if [[ -n "${DEFINITION[created]-}" ]]; then echo "${DEFINITION[created]%T*}"; else echo -; fi; }

# list_json ENTRY... - names, numbers and words that were checked when they were written, so that nothing has to be escaped
list_json() {
  local entry name separator=''
  printf '['
  for entry in "$@"; do
    name="${entry#* }"
    environment_read "$name"
    printf '%s\n{"name": "%s", "backend": "%s", "state": "%s", "port": %s, "services": %s, "cpus": %s, "cpus_limit": %s, "memory_bytes": %s, "memory_limit": %s, "disk_bytes": %s, "gpu": "%s", "models": "%s", "created": %s, "owner": "%s"}' \
      "$separator" "$name" "${entry% *}" "${LIST_STATE[$entry]}" "${LIST_PORT[$entry]:-null}" "${LIST_SERVICES[$entry]:-0}" \
      "$(list_hundredths "${LIST_CPU[$entry]-}")" "${DEFINITION[cpus]:-null}" "${LIST_MEMORY[$entry]:-null}" "$(list_text "${DEFINITION[memory]-}")" \
      "${LIST_DISK[$entry]:-null}" "${DEFINITION[gpu]:-all}" "${DEFINITION[models]:-shared}" "$(list_text "${DEFINITION[created]-}")" "${DEFINITION[owner]:-$(id -un)}"
    separator=,
  done
  printf '\n]\n'
}

list_hundredths() { if [[ -n "$1" ]]; then printf '%d.%02d' "$(($1 / 100))" "$(($1 % 100))"; else echo null; fi; }
list_text() { if [[ -n "$1" ]]; then echo "\"$1\""; else echo null; fi; }
