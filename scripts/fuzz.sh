#!/bin/sh
# Usage: fuzz.sh TIME
# Fuzzes every target for TIME, as many side by side as there are processors.
#
# Prefer a TIME in runs (20000x): with a duration, Go before 1.27 sometimes reports the end of the
# time as a failure, "context deadline exceeded" (go.dev/issue/75804).
set -eu
export FUZZTIME="$1"

# shellcheck disable=SC2016 # the inner shell expands what is quoted
grep -ro --include='*_test.go' --exclude-dir=benchmarks '^func Fuzz[A-Za-z0-9_]*' . |
  sed 's|/[^/]*:func | |' |
  sort |
  xargs -r -P "$(getconf _NPROCESSORS_ONLN)" -n 2 sh -c '
    if out=$(go test -run="^\$" -fuzz="^$2\$" -fuzztime="$FUZZTIME" -fuzzminimizetime=100x -parallel=1 "$1" 2>&1); then
      echo "$2: $(echo "$out" | tail -n 1)"
    else
      echo "$out"
      exit 1
    fi' fuzz
