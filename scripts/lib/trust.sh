# Whether root may run what lies in this checkout: only who called sudo, or root, can have written it. Sourced.
# shellcheck shell=bash

# trust_checkout - end when another user could change what is about to run, or a link leads elsewhere
trust_checkout() {
  local path found caller="${SUDO_UID-}" others=(-perm /go+w) group mend
  # A login as root names whose checkout it is, and so trusts them.
  if [[ -z "$caller" && -n "$TARGET_USER" ]]; then caller="$(id -u -- "$TARGET_USER")"; fi
  [[ "$caller" =~ ^[0-9]+$ ]] || caller=0
  group="$(own_group "$caller")"
  if [[ -n "$group" ]]; then others=(-perm -o+w -o -perm -g+w ! -group "$group"); fi
  printf -v mend 'chmod -R go-w %q' "$CHECKOUT"
  found="$(find "$CHECKOUT/scripts" "$CHECKOUT/security" \
    \( -type l -o ! -uid 0 ! -uid "$caller" -o "${others[@]}" \) -print -quit)"
  found="${found:-"$(with_access_list "$CHECKOUT/scripts" "$CHECKOUT/security")"}"
  # Who can write to a folder above can put another in its place; in a sticky one, as /tmp, only the owner can.
  path="$CHECKOUT"
  while [[ -z "$found" ]]; do
    found="$(find "$path" -maxdepth 0 \( ! -uid 0 ! -uid "$caller" -o ! -perm -1000 \( "${others[@]}" \) \) -print)"
    found="${found:-"$(with_access_list "$path" -maxdepth 0 ! -perm -1000)"}"
    if [[ -n "$found" && "$path" != "$CHECKOUT" ]]; then printf -v mend 'chmod go-w %q' "$path"; fi
    if [[ "$path" == / ]]; then break; fi
    path="$(dirname "$path")"
  done
  [[ -z "$found" ]] ||
    die "another user could change what root is about to run: $found is a link, is not yours, or its group or others may write to it" \
      "Use a checkout of your own in a folder of your own; this takes the right to write from others: $mend"
}

# own_group UID - the group in which this user is alone, as most systems make one; nothing where others are, or could join
own_group() {
  local uid="$1" gid name group members joining admins
  gid="$(id -g "$uid" 2>/dev/null)" && name="$(id -un "$uid" 2>/dev/null)" || return 0
  IFS=: read -r group _ _ members < <(getent group "$gid") || return 0
  [[ "$group" == "$name" && "${members:-$name}" == "$name" ]] || return 0
  # Whose first group it is, is not listed with it.
  [[ -z "$(getent passwd | awk -F: -v gid="$gid" -v name="$name" '$4 == gid && $1 != name')" ]] || return 0
  # With a password anybody can join, as newgrp asks for it; its administrators add whom they like.
  IFS=: read -r _ joining admins _ < <(getent gshadow "$group") || true
  [[ "${joining:-!}" == [*\!]* && "${admins:-$name}" == "$name" ]] || return 0
  echo "$gid"
}

# with_access_list PATH... [TEST...] - one of these files that has an access list (setfacl), for which ls puts a plus; what
# such a list lets others write shows as the group's right
with_access_list() {
  find "$@" -perm -g+w -exec ls -l -d {} + | sed -n '/^[^ ]*+ / { s,^[^/]*,,p; q }'
}
