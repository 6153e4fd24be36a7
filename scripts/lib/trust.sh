# Whether root may run what lies in this checkout: only who called sudo, or root, can have written it. Sourced.
# shellcheck shell=bash

# trust_checkout - end when another user could change what is about to run, or a link leads elsewhere
trust_checkout() {
  local path found caller="${SUDO_UID-}" shared
  # A login as root names whose checkout it is, and so trusts them.
  if [[ -z "$caller" && -n "$TARGET_USER" ]]; then caller="$(id -u -- "$TARGET_USER")"; fi
  [[ "$caller" =~ ^[0-9]+$ ]] || caller=0
  shared=(-perm -o+w -o -perm -g+w ! -group "$(group_of "$caller")")
  found="$(find "$CHECKOUT/scripts" "$CHECKOUT/security" \
    \( -type l -o ! -uid 0 ! -uid "$caller" -o "${shared[@]}" \) -print -quit)"
  # Who can write to a folder above can put another in its place; in a sticky one, as /tmp, only the owner can.
  path="$CHECKOUT"
  while [[ -z "$found" ]]; do
    found="$(find "$path" -maxdepth 0 \( ! -uid 0 ! -uid "$caller" -o ! -perm -1000 \( "${shared[@]}" \) \) -print)"
    if [[ "$path" == / ]]; then break; fi
    path="$(dirname "$path")"
  done
  [[ -z "$found" ]] ||
    die "another user could change what root is about to run: $found is a link, is not yours, or others may write to it" \
      "Use a checkout of your own in a folder of your own; chmod -R go-w takes the right to write from others."
}

# group_of UID - the group in which this user is alone, as most systems make one; otherwise root's
group_of() {
  local name group members
  name="$(id -un "$1" 2>/dev/null)" || name=''
  IFS=: read -r group _ _ members < <(getent group "$(id -g "$1" 2>/dev/null || echo 0)") || true
  if [[ -n "$name" && "$group" == "$name" && "${members:-$name}" == "$name" ]]; then echo "$group"; else echo 0; fi
}
