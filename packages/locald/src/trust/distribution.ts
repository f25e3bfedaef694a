// Which family of systems this is, for hints on what to install.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrustPlace } from './trust-place.ts'

const families = {
  debian: { install: 'sudo apt-get install', nss: 'libnss3-tools' },
  fedora: { install: 'sudo dnf install', nss: 'nss-tools' },
  arch: { install: 'sudo pacman -S', nss: 'nss' },
  suse: { install: 'sudo zypper install', nss: 'mozilla-nss-tools' },
  alpine: { install: 'sudo apk add', nss: 'nss-tools' },
  macos: { install: 'brew install', nss: 'nss' },
} as const
type Family = keyof typeof families

/** By the names that os-release has: https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
const familyOf: Readonly<Record<string, Family>> = {
  debian: 'debian',
  ubuntu: 'debian',
  fedora: 'fedora',
  rhel: 'fedora',
  centos: 'fedora',
  arch: 'arch',
  archlinux: 'arch',
  suse: 'suse',
  opensuse: 'suse',
  'opensuse-tumbleweed': 'suse',
  'opensuse-leap': 'suse',
  sles: 'suse',
  alpine: 'alpine',
}

/** The command that installs NSS's tools, which `certutil` and `tstclnt` are of. */
export async function installNssTools(place: TrustPlace): Promise<string> {
  const family = await familyAt(place)
  return family === null
    ? 'Install the tools of NSS ("certutil")'
    : `${families[family].install} ${families[family].nss}`
}

/** The command that installs the system's CAs with the program that updates them. */
export async function installCaCertificates(place: TrustPlace): Promise<string> {
  const family = await familyAt(place)
  return family === null ? 'Install the package "ca-certificates"' : `${families[family].install} ca-certificates`
}

async function familyAt({ root, platform }: TrustPlace): Promise<Family | null> {
  if (platform === 'darwin') return 'macos'
  const text = await readFile(join(root, 'etc/os-release'), 'utf8').catch(() => '')
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'mu').exec(text)?.[1] ?? ''
  const names = [value('ID'), ...value('ID_LIKE').split(' ')]
  return names.map((name) => familyOf[name]).find((family) => family !== undefined) ?? null
}
