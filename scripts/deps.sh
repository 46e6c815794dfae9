#!/bin/sh
# Makes sure that what the tests use besides Go is there: installs it as root on Debian and Ubuntu,
# and otherwise says what to install and fails.
set -eu

missing=
need() { # need PACKAGE COMMAND
  command -v "$2" >/dev/null || missing="$missing $1"
}

need build-essential "$(go env CC)"            # the race detector is built with cgo
need curl curl                                 # an HTTP client that is not ours
need netcat-openbsd nc                         # a terminal in the chat
need python3-websocket wsdump                  # a WebSocket for the terminal that is not ours
need redis-server redis-server                 # a broker of the channel layer, in a process of its own
need chromium "${CHROMIUM:-/usr/bin/chromium}" # opens the page of examples/chat

if [ -z "$missing" ]; then exit 0; fi

if [ "${1:-}" != installed ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # one argument per package
  apt-get install -y -qq --no-install-recommends $missing
  exec "$0" installed # look again
fi

cat >&2 <<EOF
The tests need what this machine does not have:$missing
On Debian or Ubuntu: sudo apt-get install$missing
Elsewhere install the same with your package manager. Set CHROMIUM to the path of the browser
(Chromium or Chrome) if it is not /usr/bin/chromium.
EOF
exit 1
