# Whether root may run what lies in this checkout: only who called sudo, or root, can have written it. Sourced.
# shellcheck shell=bash

# trust_checkout - end when another user could change what is about to run, or a link leads elsewhere
#
# An access list (setfacl) gives a user or group at most what the file's mode shows for its group, so that this covers it.
# Whoever else is in a group, now or later, cannot be told: none may write.
trust_checkout() {
  local path found caller="${SUDO_UID-}" mend
  # A login as root names whose checkout it is, and so trusts them.
  if [[ -z "$caller" && -n "$TARGET_USER" ]]; then caller="$(id -u -- "$TARGET_USER")"; fi
  [[ "$caller" =~ ^[0-9]+$ ]] || caller=0
  printf -v mend 'chmod -R go-w %q' "$CHECKOUT"
  found="$(find "$CHECKOUT/scripts" "$CHECKOUT/security" \
    \( -type l -o ! -uid 0 ! -uid "$caller" -o -perm /go+w \) -print -quit)"
  # Who can write to a folder above can put another in its place; in a sticky one, as /tmp, only the owner can.
  path="$CHECKOUT"
  while [[ -z "$found" ]]; do
    found="$(find "$path" -maxdepth 0 \( ! -uid 0 ! -uid "$caller" -o ! -perm -1000 -perm /go+w \) -print)"
    if [[ -n "$found" && "$path" != "$CHECKOUT" ]]; then printf -v mend 'chmod go-w %q' "$path"; fi
    if [[ "$path" == / ]]; then break; fi
    path="$(dirname "$path")"
  done
  [[ -z "$found" ]] ||
    die "another user could change what root is about to run: $found is a link, is not yours, or its group or others may write to it" \
      "Use a checkout of your own in a folder of your own; this takes the right to write from others: $mend"
}
