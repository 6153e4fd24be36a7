#!/usr/bin/env bash
# Tests in lanes: each does its steps one after the other, beside the others. Most tests wait for something (a process
# that starts, a health check, a unit of systemd), so that two lanes take little longer than the slower one alone.
#
# What a step says is shown whole when it has ended. Read after common.sh; the caller has RESULTS, a line a step.

LANE=      # the name of this lane; empty outside of lanes
LANES_DIR= # results of each lane, and what its running step has said up to now

# side_by_side LANE... [-- WORD...] - run lane_LANE WORD... of each; ends when all have ended
side_by_side() {
  local lane lanes=() groups=() results
  while (($#)) && [[ "$1" != -- ]]; do lanes+=("$1") && shift; done
  shift || true
  LANES_DIR="$(mktemp -d)"
  trap 'end_lanes ${groups[@]+"${groups[@]}"}; exit 130' INT TERM HUP
  # A process group each, which can be ended with all that it has started.
  set -m
  for lane in "${lanes[@]}"; do
    in_lane "$lane" "$@" </dev/null &
    groups+=("$!")
  done
  set +m
  for lane in "${groups[@]}"; do wait "$lane" || true; done
  trap 'exit 130' INT
  trap - TERM HUP
  for lane in "${lanes[@]}"; do
    mapfile -t results <"$LANES_DIR/$lane.results"
    RESULTS+=(${results[@]+"${results[@]}"})
    if [[ ! -e "$LANES_DIR/$lane.ended" ]]; then RESULTS+=("FAILED  $lane: it ended before its last step"); fi
  done
  rm -r "$LANES_DIR"
}

in_lane() {
  set +m
  trap 'exit 130' INT
  LANE="$1"
  shift
  # What failed last is remembered in a cache, which is one a lane.
  export PYTEST_ADDOPTS="${PYTEST_ADDOPTS-} --override-ini=cache_dir=.pytest_cache/$LANE"
  : >"$LANES_DIR/$LANE.results"
  "lane_$LANE" "$@"
  touch "$LANES_DIR/$LANE.ended"
}

# result LINE - what came of a step
result() {
  if [[ -z "$LANE" ]]; then
    RESULTS+=("$1")
  else
    printf '%s\n' "$1" >>"$LANES_DIR/$LANE.results"
  fi
}

# said NAME COMMAND... - run it under its name; in a lane, not mixed with what other lanes say
said() {
  local name="$1" status=0
  shift
  if [[ -z "$LANE" ]]; then
    say "== $name"
    "$@"
    return
  fi
  say "-- $name has begun"
  "$@" >"$LANES_DIR/$LANE.said" 2>&1 || status=$?
  {
    flock 9
    say "== $name"
    cat "$LANES_DIR/$LANE.said"
  } 9>"$LANES_DIR/lock"
  rm "$LANES_DIR/$LANE.said"
  return "$status"
}

# end_lanes GROUP... - as a terminal would, so that hosts and services of the tests are ended by those who made them
end_lanes() {
  local group file
  trap '' HUP
  # Who asks twice does not want to wait.
  trap 'signal_lanes KILL "$@"' INT TERM
  signal_lanes INT "$@"
  for group; do wait "$group" || true; done
  for file in "$LANES_DIR"/*.said; do
    if [[ -e "$file" ]]; then
      say "== the end of what ${file##*/} had said"
      tail -n 40 "$file"
    fi
  done
  rm -r "$LANES_DIR"
}

# signal_lanes SIGNAL GROUP...
signal_lanes() {
  local group
  for group in "${@:2}"; do kill "-$1" -- "-$group" 2>/dev/null || true; done
}
