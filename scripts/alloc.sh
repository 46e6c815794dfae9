#!/bin/sh
# Runs, without the race detector, the tests of the files marked `//go:build !race`, and only these:
# other tests' goroutines would count among the allocations.
set -eu

grep -rl --include='*_test.go' --exclude-dir=benchmarks '^//go:build !race' . | sort | while read -r file; do
  tests=$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' "$file" | paste -s -d '|' -)
  go test -count=1 -run="^($tests)\$" "$(dirname "$file")" || exit 1
done
