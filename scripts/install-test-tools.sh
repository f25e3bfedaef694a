#!/usr/bin/env bash
# Installs the system programs that some tests run as services. Debian and Ubuntu, as root or with sudo; anywhere else it
# names what is missing. Tests that need a missing program are skipped, which fails them where CI is set.
set -euo pipefail

declare -A package_of=([python3]=python3 [curl]=curl [setsid]=util-linux [ps]=procps [systemd-notify]=systemd
  [redis-server]=redis-server [mosquitto]=mosquitto [haproxy]=haproxy [dockerd]=docker.io [docker]=docker.io [busybox]=busybox-static
  [openssl]=openssl [update-ca-certificates]=ca-certificates [certutil]=libnss3-tools [tstclnt]=libnss3-tools [trust]=p11-kit [chromium]=chromium)
PATH="$PATH:/usr/sbin:/sbin"
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
# Installed, it would take over how this machine finds names: the program alone is enough.
resolved=systemd-resolved
extracted=/usr/local/lib/locald-test-tools
needs_resolved=
if [[ ! -x /usr/lib/systemd/$resolved && ! -x /lib/systemd/$resolved && ! -x $extracted/$resolved ]]; then
  needs_resolved=yes
fi
if [[ ${#missing[@]} -eq 0 && -z $needs_resolved ]]; then
  exit 0
fi
if [[ ${#missing[@]} -eq 0 ]] && ! command -v apt-get >/dev/null; then
  echo "Not here, and no apt-get to get it: $resolved" >&2
  exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing, and neither root nor sudo to install them: ${missing[*]} ${needs_resolved:+$resolved}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
if ! command -v apt-get >/dev/null; then
  echo "Missing, and no apt-get to install them: ${missing[*]} ${needs_resolved:+$resolved}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
if [[ ${#missing[@]} -gt 0 ]]; then
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  echo "Installed: ${missing[*]}"
fi
if [[ -n $needs_resolved ]]; then
  directory=$(mktemp -d)
  (cd "$directory" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$resolved" && dpkg-deb --extract "$resolved"_*.deb files)
  "${as_root[@]}" install -D "$(find "$directory/files" -type f -name "$resolved" -path '*/systemd/*' -perm -u+x)" "$extracted/$resolved"
  rm -rf "$directory"
  echo "Extracted: $extracted/$resolved"
fi
