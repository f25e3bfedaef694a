// Finds the databases in which Firefox, Chromium and their kin keep certificates.
import { readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseProfiles } from './profiles-ini.ts'
import { userProgram } from './programs.ts'
import type { TrustPlace } from './trust-place.ts'

export interface NssDatabase {
  readonly directory: string
  /** Whose it is, for people. */
  readonly label: string
  /** False: a browser will look there, and nobody has made it yet. */
  readonly exists: boolean
}

const chromiumPrograms = [
  'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'brave-browser', 'microsoft-edge', 'vivaldi',
] // prettier-ignore
const chromiumFlatpaks = [
  'org.chromium.Chromium', 'com.google.Chrome', 'com.brave.Browser', 'com.microsoft.Edge', 'com.vivaldi.Vivaldi',
] // prettier-ignore

/** Each once, also when two paths lead to it. */
export async function findNssDatabases(place: TrustPlace): Promise<readonly NssDatabase[]> {
  const found = [
    ...(await chromiumDatabases(place)),
    ...(await existing([{ directory: join(place.root, 'etc/pki/nssdb'), label: 'All users (NSS)' }])),
    ...(await firefoxDatabases(place)),
  ]
  const byPath = new Map<string, NssDatabase>()
  for (const database of found) {
    const path = await realpath(database.directory).catch(() => database.directory)
    if (!byPath.has(path)) byPath.set(path, { ...database, directory: path })
  }
  return [...byPath.values()]
}

/**
 * Chromium uses `~/.pki/nssdb` where that exists; since 146, else that of the XDG base directories. So a new one is made at
 * the old place, where every version looks, and only when there is neither.
 * https://chromium.googlesource.com/chromium/src/+/main/docs/linux/cert_management.md
 */
async function chromiumDatabases(place: TrustPlace): Promise<readonly NssDatabase[]> {
  const { home, dataHome } = place
  const label = 'Chromium, Chrome'
  const shared = [join(home, '.pki/nssdb'), join(home, '.local/share/pki/nssdb'), join(dataHome, 'pki/nssdb')]
  const own = await existing(shared.map((directory) => ({ directory, label })))
  const snapHome = join(home, 'snap/chromium/current')
  const snap = await existing([{ directory: join(snapHome, '.pki/nssdb'), label: 'Chromium (snap)' }])
  const flatpaks = chromiumFlatpaks.flatMap((id) =>
    ['.pki/nssdb', 'data/pki/nssdb'].map((path) => ({
      directory: join(home, '.var/app', id, path),
      label: `${id} (flatpak)`,
    })),
  )
  return [
    ...(own.length > 0 || !(await isChromiumInstalled(place)) ? own : [missing(join(home, '.pki/nssdb'), label)]),
    ...(snap.length > 0 || !(await isDirectory(snapHome))
      ? snap
      : [missing(join(snapHome, '.pki/nssdb'), 'Chromium (snap)')]),
    ...(await existing(flatpaks)),
  ]
}

async function firefoxDatabases({ home, configHome }: TrustPlace): Promise<readonly NssDatabase[]> {
  const places = [
    { base: join(home, '.mozilla/firefox'), kind: '' },
    { base: join(configHome, 'mozilla/firefox'), kind: '' }, // since 147
    { base: join(home, 'snap/firefox/common/.mozilla/firefox'), kind: ' (snap)' },
    { base: join(home, 'snap/firefox/common/.config/mozilla/firefox'), kind: ' (snap)' },
    { base: join(home, '.var/app/org.mozilla.firefox/.mozilla/firefox'), kind: ' (flatpak)' },
    { base: join(home, '.var/app/org.mozilla.firefox/config/mozilla/firefox'), kind: ' (flatpak)' },
    { base: join(home, 'Library/Application Support/Firefox'), kind: '' },
  ]
  const all: Omit<NssDatabase, 'exists'>[] = []
  for (const { base, kind } of places) {
    const list = await readFile(join(base, 'profiles.ini'), 'utf8').catch(() => '')
    for (const { name, directory } of parseProfiles(list, base)) {
      all.push({ directory, label: `Firefox${kind}, profile ${name}` })
    }
  }
  return await existing(all)
}

async function existing(candidates: readonly Omit<NssDatabase, 'exists'>[]): Promise<readonly NssDatabase[]> {
  const found: NssDatabase[] = []
  for (const candidate of candidates) {
    // Older ones (cert8.db) are of browsers that have not been updated since 2018.
    const isThere = (await stat(join(candidate.directory, 'cert9.db')).catch(() => null)) !== null
    if (isThere) found.push({ ...candidate, exists: true })
  }
  return found
}

function missing(directory: string, label: string): NssDatabase {
  return { directory, label, exists: false }
}

/** As a snap it has a database of its own. */
async function isChromiumInstalled(place: TrustPlace): Promise<boolean> {
  for (const name of chromiumPrograms) {
    const program = await userProgram(name, place)
    if (program !== null && !program.startsWith('/snap/')) return true
  }
  return false
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() === true
}
