# Of `nft --handle list ruleset`: the commands that open a TCP port (-v port=N), and remarks as comments of nft.
#
# A packet must be accepted in every chain that the kernel asks, so that a table of our own could open nothing. In each that
# keeps everybody out, the rule goes right before the first rule that does, or to the end when only the policy does. What
# keeps out some (blocked senders, an interface, too many connections) and stands before that, as it mostly does, goes first.
# Whichever of these is of our port is named in a remark, on whichever side of ours it stands. Without a port: the same for any.

BEGIN {
  ONE = "(\\{[^}]*\\}|[^ ]+)"
  DPORT = "(tcp|th) dport (!= )?" ONE
  STATE = "ct state (!= )?(\\{[^}]*\\}|[a-z,]+( [|] [a-z]+)*)"
  INTERFACE = "(meta )?(iif|iifname|iifgroup) (!= )?" ONE
  PROTOCOL = "(meta l4proto|ip protocol|ip6 nexthdr) "
}

function without_handle(line) {
  sub(/ # handle [0-9]+$/, "", line)
  sub(/^[ \t]+/, "", line)
  return line
}

# A rule without words in quotes, which may say anything. All interfaces but that of the machine itself are all.
function plain(rule) {
  sub(/(meta )?(iif|iifname) != "lo" /, "", rule)
  gsub(/"[^"]*"/, "quoted", rule)
  return rule
}

function part(rule, pattern) { return match(rule, pattern) ? substr(rule, RSTART, RLENGTH) : "" }

# Whether a `tcp dport ...` names our port, or may; none names all.
function covers(spec, parts, number, at, ends, found, differs) {
  if (port == "" || spec == "") return 1
  sub(/^(tcp|th) dport /, "", spec)
  differs = sub(/^!= /, "", spec)
  gsub(/[{} ]/, "", spec)
  number = split(spec, parts, ",")
  for (at = 1; at <= number; at++) {
    if (parts[at] !~ /^[0-9]+(-[0-9]+)?$/) return 1
    if (split(parts[at], ends, "-") == 1) ends[2] = ends[1]
    if (port + 0 >= ends[1] + 0 && port + 0 <= ends[2] + 0) found = 1
  }
  return differs ? !found : found + 0
}

# Whether a `ct state ...` names new connections; none names all.
function is_of_new(spec) {
  if (spec == "") return 1
  return (spec ~ /[ ,{]new([ ,}]|$)/) != (spec ~ /!= /)
}

function without_tcp(rule) {
  # Some versions of nft write TCP as its number.
  gsub(PROTOCOL "(tcp|6|\\{[^}]*(tcp|[ ,]6[ ,])[^}]*\\})", "", rule)
  return rule
}

# Whether a rule is of other packets alone than those of a new connection to our port.
function is_of_others(rule) {
  if (!covers(part(rule, DPORT)) || rule ~ /(udp|icmp|icmpv6) (dport|sport|type) /) return 1
  if (part(without_tcp(rule), PROTOCOL "[a-z0-9]+") !~ /^$|vmap$/) return 1
  if (rule ~ /ct state vmap \{/) return rule !~ /[ ,]new : (drop|jump|goto)/
  return !is_of_new(part(rule, STATE))
}

# Whether a rule ends a packet, or leads it where that may happen.
function closes(rule) { return rule ~ /(^|[^[:alnum:]_-])(drop|reject|jump|goto|vmap @[^ ]+)([^[:alnum:]_-]|$)/ }

# Whether it may do so to a packet for our port.
function may_close(place, rule, target) {
  if (!closes(rule) || is_of_others(rule)) return 0
  if (rule !~ /(jump|goto) / || rule ~ /: drop/) return 1
  while (match(rule, /(jump|goto) [^ ,]+/)) {
    target = substr(rule, RSTART + 5, RLENGTH - 5)
    rule = substr(rule, RSTART + RLENGTH)
    if (chain_may_close(place, target)) return 1
  }
  return 0
}

function chain_may_close(place, chain, at) {
  for (at = 1; at <= length_of[place, chain]; at++)
    if (may_close(place, text_of[place, chain, at])) return 1
  return 0
}

# A rule that covers our port without whatever else holds for everybody; `some` takes what keeps out an interface as well.
function bare(rule, some) {
  rule = without_tcp(rule)
  sub(DPORT, "", rule)
  if (is_of_new(part(rule, STATE))) sub(STATE, "", rule)
  gsub(/counter( packets [0-9]+ bytes [0-9]+)?/, "", rule)
  gsub(/log( (prefix|level|group|flags|snaplen|queue-threshold) [^ ]+)*/, "", rule)
  # Up to a rate it meets whoever comes; `over` stays, and meets some.
  gsub(/limit rate [0-9]+(\/| [a-z]*bytes\/)[a-z]+( burst [0-9]+ [a-z]+)?/, "", rule)
  gsub(/(meta )?pkttype host|meta nfproto ipv4|fib daddr type local/, "", rule)
  if (some) gsub(INTERFACE "|meta nfproto ipv6", "", rule)
  sub(/comment quoted/, "", rule)
  gsub(/^ +| +$/, "", rule)
  return rule
}

# Whether a rule keeps out everybody, or `some`. A jump does when the chain that it leads to has such a rule.
function is_wall(place, rule, some) {
  if (!closes(rule) || !covers(part(rule, DPORT))) return 0
  rule = bare(rule, some)
  # Of IPv6 alone, in a table of both.
  if (rule ~ /^reject with icmpv6/ && place ~ /^inet/) return some
  if (rule ~ /^(drop|reject( with .*)?)$/) return 1
  if (rule !~ /^(jump|goto) [^ ]+$/) return 0
  sub(/^(jump|goto) /, "", rule)
  return first_wall(place, rule, some) > 0
}

# Where it stands in a chain; 0 for none.
function first_wall(place, chain, some, at) {
  for (at = 1; at <= length_of[place, chain]; at++)
    if (is_wall(place, text_of[place, chain, at], some)) return at
  return 0
}

# Where our rule goes in a chain that the kernel asks, and the command for that; 0 where nothing has to be opened.
function opens(place, chain, rule, wall) {
  wall = first_wall(place, chain, 0)
  if (!wall && policy[place, chain]) {
    print "add rule " place " " chain " " rule
    return length_of[place, chain] + 1
  }
  if (!wall) wall = first_wall(place, chain, 1)
  if (wall) print "insert rule " place " " chain " handle " handle_of[place, chain, wall] " " rule
  return wall
}

# A line for each other rule that may keep somebody from our port, or that leads to more than one can see there.
function remark(place, chain, ours, at, rule, how) {
  for (at = 1; at <= length_of[place, chain]; at++) {
    rule = text_of[place, chain, at]
    if (!may_close(place, rule) || (rule !~ /(jump|goto) / && is_wall(place, rule))) continue
    how = !ours ? "this stays" : at < ours ? "this stands before it" : "it goes before"
    print "# in " place " " chain " " how ": " shown_of[place, chain, at]
  }
}

$1 == "table" { place = $2 " " $3; next }
$1 == "chain" { chain = $2; next }
$1 == "}" { chain = ""; next }
chain == "" { next }
$1 == "type" {
  if (/ hook input / && place ~ /^(ip|ip6|inet) /) {
    asked[++number] = place SUBSEP chain
    policy[place, chain] = / policy drop;/
  }
  next
}
{
  at = ++length_of[place, chain]
  shown_of[place, chain, at] = without_handle($0)
  text_of[place, chain, at] = plain(shown_of[place, chain, at])
  handle_of[place, chain, at] = $NF
  if (index($0, "comment \"ai-semble port " port "\"")) opened[place, chain] = 1
}

END {
  rule = "tcp dport " port " accept comment \"ai-semble port " port "\""
  for (one = 1; one <= number; one++) {
    split(asked[one], names, SUBSEP)
    if (!opened[names[1], names[2]]) remark(names[1], names[2], opens(names[1], names[2], rule))
  }
}
