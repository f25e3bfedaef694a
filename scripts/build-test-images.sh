#!/usr/bin/env bash
# Builds the images that tests and examples run, from Dockerfiles in tests/support/images, without a network: they hold
# nothing but Debian's busybox-static. Needs the docker command and an engine (DOCKER_HOST); an image that is there is kept,
# unless called with --again.
set -euo pipefail
cd "$(dirname "$0")/../tests/support/images"

busybox=$(command -v busybox) || {
  echo 'Missing: busybox. Install busybox-static' >&2
  exit 1
}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$busybox" "$context/busybox"
for name in busybox healthcheck; do
  if [[ ${1:-} != --again ]] && docker image inspect "locald-test/$name" >/dev/null 2>&1; then
    continue
  fi
  # BuildKit needs a plugin that Debian does not ship.
  DOCKER_BUILDKIT=0 docker build --quiet --tag "locald-test/$name" --file "$name/Dockerfile" "$context" >/dev/null
  echo "Built: locald-test/$name"
done
