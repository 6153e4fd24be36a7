#!/usr/bin/env bash
# Add the protections that only root can give to this machine. Nothing else in Ai-semble needs root.
#
# Usage: sudo ./scripts/install-security.sh [--dry-run] [--user NAME]
#        sudo ./scripts/install-security.sh --uninstall [--dry-run]
#        sudo ./scripts/install-security.sh --open-port [PORT] | --close-port [PORT] [--dry-run]
#        ./scripts/install-security.sh --status [--user NAME]
#
#   (nothing)           the SELinux module or the AppArmor profiles, where the kernel has one of them; the profiles of
#                       system calls; subordinate ids, limits and linger for the user. No port is opened
#   --user NAME         the user who runs Ai-semble; otherwise the one who calls sudo
#   --open-port [PORT]  let other machines reach this TCP port through firewalld, ufw or nftables. PORT is `expose.port`,
#                       8443 if you have not changed it: root does not read your settings
#   --close-port [PORT] close it again; without PORT, all that were opened like this
#   --status            each layer in a line: on, off, old (not as in this checkout), or absent from this machine
#   --uninstall         undo what this script did, and nothing else
#   --dry-run           print the commands instead of running them; needs no root
#
# Each change is written down in /var/lib/ai-semble-security before it is made. It may be run again at any time.
# It runs as root what lies in this checkout: read scripts/security/ and security/ first.
# Exit status: 0 ok; 1 a step failed, or --status found something off or old; 2 wrong usage.
set -euo pipefail

# What root runs is found in the system's own folders; a user's PATH often lacks those for administrators.
if ((EUID == 0)); then PATH=/usr/sbin:/usr/bin:/sbin:/bin; else PATH="$PATH:/usr/sbin:/sbin"; fi
umask 022

# shellcheck source=scripts/lib/changes.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/changes.sh"
# shellcheck source=scripts/lib/trust.sh
source "$CHECKOUT/scripts/lib/trust.sh"

HELP="./scripts/install-security.sh --help"
STEPS=(selinux apparmor seccomp subuid delegation linger firewall)
API_PORT=8443
DRY=
TARGET_USER=
FAILED=()

main() {
  local verb=install port=''
  while (($#)); do
    case "$1" in
      --status | --uninstall | --open-port | --close-port)
        [[ "$verb" == install ]] || die_usage "--$verb and $1 exclude each other" "$HELP"
        verb="${1#--}"
        if [[ "$verb" == *-port && "${2-}" =~ ^[0-9] ]]; then
          port="$2"
          shift
        fi
        ;;
      --dry-run) DRY=yes ;;
      --user)
        [[ -n "${2-}" ]] || die_usage "--user needs a name" "$HELP"
        TARGET_USER="$2"
        shift
        ;;
      --help | -h) usage && return ;;
      *) die_usage "unknown option $1" "$HELP" ;;
    esac
    shift
  done
  check_port "$port"
  choose_user
  if ((EUID == 0)); then
    trust_checkout
  elif [[ -z "$DRY" && "$verb" != status ]]; then
    die "this changes the system, which only root may" \
      "sudo ./scripts/install-security.sh; with --dry-run it only prints what it would do, and needs no root."
  fi
  "do_${verb//-/_}" "$port"
}

do_install() {
  local name
  for name in "${STEPS[@]}"; do step "$name" install; done
  finish "Done. What is on: ./scripts/install-security.sh --status. A pod that is set up already takes it over by:
./scripts/setup.sh --no-images --no-models && ./scripts/deploy.sh restart"
}

do_uninstall() {
  local number
  for ((number = ${#STEPS[@]} - 1; number >= 0; number--)); do step "${STEPS[number]}" uninstall; done
  if [[ -z "$DRY" && ! -s "$CHANGES" ]]; then rm -rf "$STATE"; fi
  finish "Done. This machine is as it was before install-security.sh."
}

do_open_port() {
  step firewall open "${1:-$API_PORT}"
  if [[ -z "$1" ]]; then say "No port was named, so it was $API_PORT. If \`expose.port\` is another one, name that: --open-port PORT"; fi
  finish "Ai-semble itself listens on this machine alone until it is told otherwise: docs/howto/secure-the-host.md"
}

do_close_port() {
  step firewall close "$1"
  finish "Done."
}

do_status() {
  local name
  for name in "${STEPS[@]}"; do step "$name" status; done
  if ((${#FAILED[@]})); then
    say "More protection for this machine: sudo ./scripts/install-security.sh (--dry-run shows what it would do)"
    return 1
  fi
}

# step NAME VERB [WORD...] - one step, in a process and an environment of its own; when it fails, the others go on
step() {
  local name="$1"
  shift
  env -i PATH="$PATH" LC_ALL=C.UTF-8 SECURITY_DRY="$DRY" SECURITY_USER="$TARGET_USER" \
    bash "$CHECKOUT/scripts/security/$name.sh" "$@" || FAILED+=("$name")
}

finish() {
  if ((${#FAILED[@]})); then
    die "not everything could be done: ${FAILED[*]}" "Do what stands above, then run it again: what is done is not done twice."
  fi
  if [[ -z "$DRY" ]]; then say "$1"; fi
}

check_port() {
  [[ -z "$1" || ("$1" =~ ^[1-9][0-9]{0,4}$ && "$1" -le 65535) ]] || die_usage "$1 is no port" "Ports are 1 to 65535."
}

# choose_user - whose ids, limits and linger; none where root does not say
choose_user() {
  if [[ -n "$TARGET_USER" ]]; then
    [[ "$(id -u -- "$TARGET_USER" 2>/dev/null || echo 0)" != 0 ]] ||
      die_usage "there is no user $TARGET_USER who is not root" "--user takes the name of the one who runs Ai-semble."
    return
  fi
  TARGET_USER="${SUDO_USER-}"
  if ((EUID != 0)); then TARGET_USER="$(id -un)"; fi
  if [[ "$TARGET_USER" == root ]]; then TARGET_USER=''; fi
}

main "$@"
