#!/usr/bin/env bash
# The firewall: no port is opened (--open-port does, when other machines shall reach the API).
set -euo pipefail
# shellcheck source=scripts/lib/changes.sh
source "$(dirname "$0")/../lib/changes.sh"

PLACES="$CHECKOUT/scripts/security/nftables.awk"

step_install() { :; }

step_open() {
  local kind
  kind="$(active)"
  heading "open port $1/tcp to other machines"
  case "$kind" in
    none)
      note "no firewall is active here that keeps everybody from port $1, so there is nothing to open"
      places "$1" | while read -r _ line; do note "$line"; done
      ;;
    unreadable) note "only root can read the rules of nftables: sudo ./scripts/install-security.sh --dry-run --open-port $1" ;;
    *)
      note "the firewall is $kind"
      "open_$kind" "$1"
      ;;
  esac
}

# step_close [PORT] - without one, all that were opened by this script
step_close() {
  local port="${1-}" line words found=
  heading "close ${port:-whatever was opened}"
  while IFS= read -r line; do
    IFS=$'\t' read -r -a words <<<"$line"
    if [[ "${words[-1]}" == "${port:-${words[-1]}}" ]]; then
      found=yes
      undo "${words[@]:1}"
    fi
  done < <(openings | tac)
  if [[ -z "$found" ]]; then note "this script has not opened ${port:-any}, so it closes nothing"; fi
}

step_status() {
  local kind ports
  kind="$(active)"
  ports="$(openings | awk '{ print $NF }' | sort -un | paste -sd ' ')"
  case "$kind" in
    none) layer absent "no firewall is active on this machine" ;;
    unreadable) layer on "nftables, whose rules only root can read; opened by this script: ${ports:-nothing}" ;;
    *) layer on "$kind; opened by this script: ${ports:-nothing}" ;;
  esac
}

# openings - what of the record is about ports; the last word is the port
openings() { recorded | awk -F '\t' '$2 ~ /^(firewalld|ufw|nftables)$/'; }

# active - firewalld, ufw, nftables or none; unreadable where nftables has rules, perhaps, that only root can read
active() {
  if systemctl is-active --quiet firewalld 2>/dev/null; then
    echo firewalld
  elif command -v ufw >/dev/null && grep -qsx 'ENABLED=yes' /etc/ufw/ufw.conf; then
    echo ufw
  elif places '' | grep -v '^# ' >/dev/null; then
    echo nftables
  elif ((EUID != 0)) && systemctl is-active --quiet nftables 2>/dev/null; then
    echo unreadable
  else
    echo none
  fi
}

# places PORT - what nftables.awk says of the rules; nothing where there are none, or where only root may read them
places() {
  if command -v nft >/dev/null; then { nft --handle list ruleset 2>/dev/null || true; } | awk -v port="$1" -f "$PLACES"; fi
}

open_firewalld() {
  local zones zone interfaces when
  zones="$(outer_zones)" || die "firewalld does not answer" "systemctl status firewalld says more."
  while read -r zone interfaces; do
    if keeps_all_out "$zone"; then
      note "left closed: $zone $interfaces, which keeps everybody out; firewall-cmd --zone=$zone --add-port=$1/tcp opens it"
      continue
    fi
    note "it is opened in $zone $interfaces"
    # It keeps what holds now apart from what holds after its next start.
    for when in permanent runtime; do
      if is_open_in_firewalld "$when" "$zone" "$1"; then continue; fi
      record firewalld "$when" "$zone" "$1"
      run "${FIREWALLD[@]}" --add-port="$1/tcp"
    done
  done <<<"$zones"
}

target_of() { firewall-cmd --permanent --zone="$1" --get-target 2>/dev/null; }

# keeps_all_out ZONE - as drop and block do: whoever puts an interface into such a one means it
keeps_all_out() { [[ "$(target_of "$1")" == @(DROP|*REJECT*) ]]; }

# outer_zones - a line `ZONE (INTERFACE...)` for the zone of each interface with an address that other machines can reach.
# Zones of senders' addresses alone stay as they are: whom they hold, as blocked ones, is their owner's choice.
outer_zones() {
  local default interface zone
  declare -A held=()
  default="$(firewall-cmd --get-default-zone)" || return
  for interface in $(ip -oneline address show up scope global | awk '{ print $2 }' | sort -u); do
    # Those that nobody has put into a zone are in the default one.
    zone="$(firewall-cmd --get-zone-of-interface="$interface" 2>/dev/null)" || zone="$default"
    # Some, as that of containers, are open already.
    if [[ "$(target_of "$zone")" == ACCEPT ]]; then continue; fi
    held[$zone]+="${held[$zone]:+ }$interface"
  done
  if ((${#held[@]} == 0)); then held[$default]="no interface"; fi
  for zone in "${!held[@]}"; do echo "$zone (${held[$zone]})"; done | sort
}

# undo_firewalld WHEN ZONE PORT
undo_firewalld() {
  if is_open_in_firewalld "$@"; then run "${FIREWALLD[@]}" --remove-port="$3/tcp"; fi
}

# is_open_in_firewalld WHEN ZONE PORT - sets FIREWALLD to how that set of rules is spoken to
is_open_in_firewalld() {
  FIREWALLD=(firewall-cmd --zone="$2")
  if [[ "$1" == permanent ]]; then FIREWALLD+=(--permanent); fi
  "${FIREWALLD[@]}" --query-port="$3/tcp" >/dev/null 2>&1
}

# ufw has one rule for a port and protocol: a new one would take the place of its owner's, and be gone after closing.
open_ufw() {
  local rules foreign first
  rules="$(ufw_rules "$1")" || {
    ((EUID != 0)) || die "ufw does not say which rules it has" "sudo ufw show added says why."
    note "only root can read the rules of ufw: sudo ./scripts/install-security.sh --dry-run --open-port $1"
  }
  foreign="$(grep -v '^ufw allow ' <<<"$rules" || true)"
  if [[ -n "$foreign" ]]; then
    first="${foreign%%$'\n'*}" first="${first%% comment *}"
    die "ufw has a rule of its owner's for port $1, which stays: ${foreign//$'\n'/, }" \
      "If it may go: sudo ufw delete ${first#ufw }; then run this again."
  elif [[ -n "$rules" ]]; then
    note "it is open already"
  else
    record ufw "$1"
    run ufw allow "$1/tcp" comment ai-semble
  fi
}

undo_ufw() {
  local ours="ufw allow $1/tcp comment 'ai-semble'" there
  there="$(ufw_rules "$1")" || there="$ours"
  if [[ "$there" == "$ours" ]]; then
    run ufw delete allow "$1/tcp"
  else
    note "ufw has another rule for port $1 by now, or none, so nothing is closed"
  fi
}

# ufw_rules PORT - those that one for this port and everybody would replace
ufw_rules() {
  local added
  added="$(ufw show added 2>/dev/null)" || return
  grep -E "^ufw [a-z]+ (log |log-all )?$1/tcp( comment .*)?$" <<<"$added" || true
}

# What the rules are, and how the place is found, stands in nftables.awk. It is found anew whenever the rules are loaded.
open_nftables() {
  local port="$1" nft program command again
  nft="$(command -v nft)" program="$(program_of "$port")"
  record nftables "$port"
  while IFS= read -r command; do
    case "$command" in
      '# '*) note "${command#\# }" ;;
      *) run nft "$command" ;;
    esac
  done < <(places "$port")
  put_file "$PLACES" "$program"
  again="/bin/sh -c '$nft --handle list ruleset | awk -v port=$port -f $program | $nft -f -'"
  # If this failed without the dash, systemd would count the firewall itself as failed.
  printf '[Service]\nExecStartPost=-%s\nExecReload=-%s\n' "$again" "$again" | put_text "$(drop_in_of "$port")"
  run systemctl daemon-reload
  systemctl is-enabled --quiet nftables 2>/dev/null ||
    note "nftables.service does not load your rules at boot; let what does it also run: $again"
}

undo_nftables() {
  local port="$1" family table chain handle
  while read -r family table chain handle; do
    run nft delete rule "$family" "$table" "$chain" handle "$handle"
  done < <(our_rules "$port")
  undo file "$(drop_in_of "$port")"
  undo file "$(program_of "$port")"
  run systemctl daemon-reload
}

program_of() { echo "/etc/ai-semble-port-$1.awk"; }
drop_in_of() { echo "/etc/systemd/system/nftables.service.d/ai-semble-port-$1.conf"; }

# our_rules PORT - family, table, chain and handle of each rule that opens it
our_rules() {
  nft --handle list ruleset 2>/dev/null | awk -v mark="comment \"ai-semble port $1\"" '
    $1 == "table" { family = $2; table = $3 }
    $1 == "chain" { chain = $2 }
    index($0, mark) { print family, table, chain, $NF }'
}

run_step "$@"
