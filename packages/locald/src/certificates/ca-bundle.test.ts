import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemBundle, writeBundle } from './ca-bundle.ts'

const own = {
  fingerprint: 'f1', serial: '01', name: 'own', suffixes: ['localhost'], certificate: '-- own --\n', file: '/none', notBefore: 0, notAfter: 1,
} // prettier-ignore
let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'locald-bundle-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function place(path: string, text: string): Promise<string> {
  const file = join(root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  return file
}

test.each([
  'etc/ssl/certs/ca-certificates.crt',
  'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  'etc/pki/tls/certs/ca-bundle.crt',
  'var/lib/ca-certificates/ca-bundle.pem',
])('the bundle of the system is found in %s', async (path) => {
  expect(await systemBundle(root)).toBeNull()
  const file = await place(path, '-- system --\n')
  expect(await systemBundle(root)).toBe(file)
})

test('the bundle is written anew when that of the system changes, and only then', async () => {
  const file = join(root, 'bundle.pem')
  await place('etc/ssl/certs/ca-certificates.crt', '-- one --\n')
  await writeBundle(file, [own], root)
  const { ino } = await stat(file)
  expect(await readFile(file, 'utf8')).toMatch(/^# Made by locald from .*\n-- one --\n-- own --\n$/u)
  await writeBundle(file, [own], root)
  expect((await stat(file)).ino).toBe(ino)
  await place('etc/ssl/certs/ca-certificates.crt', '-- one --\n-- another --\n')
  await writeBundle(file, [own], root)
  expect(await readFile(file, 'utf8')).toMatch(/-- another --\n-- own --\n$/u)
})

test('a CA that the system trusts already is not there twice', async () => {
  const file = join(root, 'bundle.pem')
  await place('etc/ssl/certs/ca-certificates.crt', '-- own --\n-- one --')
  await writeBundle(file, [own], root)
  expect((await readFile(file, 'utf8')).split('-- own --')).toHaveLength(2)
})

test('without a bundle of the system, the CAs of Node are taken', async () => {
  const file = join(root, 'bundle.pem')
  await writeBundle(file, [own], root)
  expect(await readFile(file, 'utf8')).toContain(`${rootCertificates.at(-1) ?? 'none'}\n-- own --\n`)
})
