import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findNssDatabases } from './nss-databases.ts'
import { createPrivatePlace } from './testing/private-place.ts'
import type { PrivatePlace } from './testing/private-place.ts'

const found = async (place: PrivatePlace, changes: Partial<PrivatePlace> = {}): Promise<readonly string[]> =>
  (await findNssDatabases({ ...place, env: { PATH: '' }, ...changes })).map(
    ({ directory, label, exists }) => `${directory.slice(place.root.length + 1)} ${label}${exists ? '' : ' NEW'}`,
  )
const withChromium = (place: PrivatePlace): Partial<PrivatePlace> => {
  place.write('bin/chromium', '#!/bin/sh\n', 0o755)
  return { env: { PATH: join(place.root, 'bin') } }
}

test('all databases of Chromium are found', async () => {
  using place = createPrivatePlace()
  for (const path of [
    'home/ann/.pki/nssdb',
    'home/ann/.local/share/pki/nssdb',
    'home/ann/snap/chromium/current/.pki/nssdb',
    'home/ann/.var/app/com.google.Chrome/data/pki/nssdb',
    'etc/pki/nssdb',
  ]) {
    place.write(`${path}/cert9.db`)
  }
  place.write('home/ann/.var/app/org.chromium.Chromium/.pki/nssdb/cert8.db') // of a browser that is long gone
  expect(await found(place)).toEqual([
    'home/ann/.pki/nssdb Chromium, Chrome',
    'home/ann/.local/share/pki/nssdb Chromium, Chrome',
    'home/ann/snap/chromium/current/.pki/nssdb Chromium (snap)',
    'home/ann/.var/app/com.google.Chrome/data/pki/nssdb com.google.Chrome (flatpak)',
    'etc/pki/nssdb All users (NSS)',
  ])
})

test('a database is found where XDG_DATA_HOME says', async () => {
  using place = createPrivatePlace()
  place.write('data/pki/nssdb/cert9.db')
  expect(await found(place, { dataHome: join(place.root, 'data') })).toEqual(['data/pki/nssdb Chromium, Chrome'])
})

test('a database is to be made where Chromium is installed and has none, and only then', async () => {
  using place = createPrivatePlace()
  expect(await found(place)).toEqual([])
  expect(await found(place, withChromium(place))).toEqual(['home/ann/.pki/nssdb Chromium, Chrome NEW'])
  place.write('home/ann/.local/share/pki/nssdb/cert9.db')
  expect(await found(place, withChromium(place))).toEqual(['home/ann/.local/share/pki/nssdb Chromium, Chrome'])
  place.write('home/ann/snap/chromium/current/')
  expect(await found(place)).toContain('home/ann/snap/chromium/current/.pki/nssdb Chromium (snap) NEW')
})

test('all profiles of Firefox are found, each once', async () => {
  using place = createPrivatePlace()
  const elsewhere = place.write('data/elsewhere/cert9.db').replace('/cert9.db', '')
  const list = (...paths: readonly string[]): string =>
    paths.map((path, index) => `[Profile${index}]\nName=p${index}\nPath=${path}\n`).join('\n')
  const bases = [
    'home/ann/.mozilla/firefox',
    'home/ann/.config/mozilla/firefox',
    'home/ann/snap/firefox/common/.mozilla/firefox',
    'home/ann/.var/app/org.mozilla.firefox/.mozilla/firefox',
    'home/ann/.var/app/org.mozilla.firefox/config/mozilla/firefox',
  ]
  for (const base of bases) {
    place.write(`${base}/profiles.ini`, list('a.default', 'never-started', elsewhere))
    place.write(`${base}/a.default/cert9.db`)
  }
  expect(await found(place)).toEqual([
    'home/ann/.mozilla/firefox/a.default Firefox, profile p0',
    'data/elsewhere Firefox, profile p2',
    'home/ann/.config/mozilla/firefox/a.default Firefox, profile p0',
    'home/ann/snap/firefox/common/.mozilla/firefox/a.default Firefox (snap), profile p0',
    'home/ann/.var/app/org.mozilla.firefox/.mozilla/firefox/a.default Firefox (flatpak), profile p0',
    'home/ann/.var/app/org.mozilla.firefox/config/mozilla/firefox/a.default Firefox (flatpak), profile p0',
  ])
})

test('a database that two paths lead to is found once', async () => {
  using place = createPrivatePlace()
  place.write('home/ann/snap/chromium/42/.pki/nssdb/cert9.db')
  symlinkSync('42', join(place.home, 'snap/chromium/current'))
  place.write('home/ann/.pki/')
  symlinkSync(join(place.home, 'snap/chromium/42/.pki/nssdb'), join(place.home, '.pki/nssdb'))
  expect(await found(place)).toEqual(['home/ann/snap/chromium/42/.pki/nssdb Chromium, Chrome'])
})
