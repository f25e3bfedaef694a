#!/usr/bin/env bash
# Runs a command with a Docker engine: the one that docker speaks to already, or one of its own below a temporary directory,
# which is gone afterwards. Needs root for that; without it, and without dockerd, the command runs all the same and tests
# of containers say that they are skipped.
set -uo pipefail
cd "$(dirname "$0")/.."

if docker info >/dev/null 2>&1 || ! command -v dockerd >/dev/null || [[ $(id -u) -ne 0 ]]; then
  exec "$@"
fi

directory=$(mktemp -d /tmp/engine-XXXXXX)
export DOCKER_HOST="unix://$directory/docker.sock"
# Without the mark of `.ci/run`: it ends after what has it is looked for.
env -u LOCALD_CI_RUN dockerd --data-root "$directory/data" --exec-root "$directory/exec" --pidfile "$directory/pid" \
  --host "$DOCKER_HOST" >"$directory/log" 2>&1 &
engine=$!
finish() {
  kill "$engine" 2>/dev/null
  wait "$engine"
  rm -rf "$directory"
}
trap finish EXIT

for _ in $(seq 150); do
  docker info >/dev/null 2>&1 && break
  if ! kill -0 "$engine" 2>/dev/null; then
    echo 'The Docker engine for tests ended:' >&2
    tail -n 5 "$directory/log" >&2
    break
  fi
  sleep 0.2
done
"$@"
