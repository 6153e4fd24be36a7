# Of `nft --handle list ruleset`: the commands that open a TCP port (-v port=N), and remarks as comments of nft.
#
# A packet must be accepted in every chain that the kernel asks, so that a table of our own could open nothing. In each that
# keeps everybody out, the rule goes right before the first rule that does, or to the end when only the policy does. What
# keeps out some (blocked senders, too many connections, broken packets) and stands before that, as it mostly does, goes first.
# Without a port: the same for any.

# A line of a rule, without its handle; quoted words may say anything.
function plain(line) {
  sub(/ # handle [0-9]+$/, "", line)
  gsub(/"[^"]*"/, "quoted", line)
  sub(/^[ \t]+/, "", line)
  return line
}

# Whether what stands behind `dport` is, or may be, our port.
function covers(spec, parts, number, at, ends, found, differs) {
  if (port == "") return 1
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

# Whether a rule ends a packet, or leads it where that may happen.
function closes(rule) { return rule ~ /(^|[^[:alnum:]_-])(drop|reject|jump|goto)([^[:alnum:]_-]|$)/ }

# Whether it does so to everybody: it names at most interfaces, TCP, new connections and our port. A jump does when the
# chain that it leads to has such a rule.
function is_wall(place, rule, dport, target) {
  if (!closes(rule)) return 0
  if (match(rule, /(tcp|th) dport (!= )?(\{[^}]*\}|[^ ]+)/)) {
    dport = substr(rule, RSTART, RLENGTH)
    sub(/^(tcp|th) dport /, "", dport)
    if (!covers(dport)) return 0
    sub(/(tcp|th) dport (!= )?(\{[^}]*\}|[^ ]+)/, "", rule)
  }
  gsub(/counter( packets [0-9]+ bytes [0-9]+)?/, "", rule)
  gsub(/log( (prefix|level|group|flags|snaplen|queue-threshold) [^ ]+)*/, "", rule)
  gsub(/(meta )?(iif|iifname|iifgroup) (!= )?(\{[^}]*\}|[^ ]+)/, "", rule)
  # Some versions of nft write TCP as its number.
  gsub(/(meta l4proto|ip protocol|ip6 nexthdr) (tcp|6|\{[^}]*(tcp|[ ,]6[ ,])[^}]*\})/, "", rule)
  sub(/ct state new/, "", rule)
  sub(/comment quoted/, "", rule)
  sub(/^ +/, "", rule)
  sub(/ +$/, "", rule)
  if (rule ~ /^(drop|reject( with .*)?)$/) return 1
  if (rule !~ /^(jump|goto) [^ ]+$/) return 0
  target = rule
  sub(/^(jump|goto) /, "", target)
  return has_wall(place, target)
}

function has_wall(place, chain, at) {
  for (at = 1; at <= length_of[place, chain]; at++)
    if (is_wall(place, text_of[place, chain, at])) return 1
  return 0
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
  text_of[place, chain, at] = plain($0)
  handle_of[place, chain, at] = $NF
  if (index($0, "comment \"ai-semble port " port "\"")) opened[place, chain] = 1
}

END {
  rule = "tcp dport " port " accept comment \"ai-semble port " port "\""
  for (one = 1; one <= number; one++) {
    split(asked[one], names, SUBSEP)
    place = names[1]
    chain = names[2]
    if (opened[place, chain]) continue
    for (wall = 1; wall <= length_of[place, chain]; wall++)
      if (is_wall(place, text_of[place, chain, wall])) break
    if (wall <= length_of[place, chain]) {
      print "insert rule " place " " chain " handle " handle_of[place, chain, wall] " " rule
      if (text_of[place, chain, wall] ~ /(jump|goto) [^ ]+$/)
        print "# in " place " " chain " it goes before: " text_of[place, chain, wall]
      for (at = wall + 1; at <= length_of[place, chain]; at++)
        if (closes(text_of[place, chain, at]) && text_of[place, chain, at] ~ / (saddr|limit|ct count) /)
          print "# in " place " " chain " it goes before: " text_of[place, chain, at]
    } else if (policy[place, chain])
      print "add rule " place " " chain " " rule
  }
}
