import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Authorities, UncoveredName } from './authorities.ts'
import { issueLeaf } from './issue.ts'

const dayMs = 86_400_000
let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'locald-ca-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

const inDir = (): string => join(dir, 'ca')
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const around = (now: number): { notBefore: number; notAfter: number } => ({ notBefore: now, notAfter: now + dayMs })

test('ensure() makes one CA for all suffixes, and none when it is asked again', async () => {
  const authorities = Authorities.open(inDir())
  expect(await authorities.all()).toEqual([])
  const made = await authorities.ensure(['localhost', 'shop.test', 'test'])
  expect(made.map(({ suffixes }) => suffixes)).toEqual([['localhost', 'test']])
  expect(await authorities.ensure(['test'])).toEqual(made)
  expect(await Authorities.open(inDir()).all()).toEqual(made)
})

test('a new suffix gets a CA of its own, beside the old one', async () => {
  const authorities = Authorities.open(inDir())
  const [first] = await authorities.ensure(['localhost'])
  const both = await authorities.ensure(['localhost', 'shop.example.com'])
  expect(both.map(({ suffixes }) => suffixes)).toEqual([['localhost'], ['shop.example.com']])
  expect(both[0]).toEqual(first)
  expect(await authorities.issuerFor('web.shop.example.com')).toMatchObject({ suffixes: ['shop.example.com'] })
  expect(await authorities.issuerFor('example.com')).toBeNull()
  expect(await readFile(authorities.rootsFile, 'utf8')).toBe(both.map(({ certificate }) => certificate).join(''))
})

test.each(['', 'LOCALHOST', '*.localhost', '127.0.0.1', '.test'])('ensure() refuses %j as a suffix', async (suffix) => {
  await expect(Authorities.open(inDir()).ensure([suffix])).rejects.toThrow('not a suffix')
})

test('many at once make one CA', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => Authorities.open(inDir()).ensure(['localhost'])))
  expect(new Set(made.flat().map(({ fingerprint }) => fingerprint)).size).toBe(1)
  expect((await readdir(inDir())).sort()).toEqual(['1', 'roots.pem'])
})

test('many at once for different suffixes all find their CA among the roots', async () => {
  const suffixes = Array.from({ length: 6 }, (_, index) => `shop${index}.example.com`)
  await Promise.all(suffixes.map((suffix) => Authorities.open(inDir()).ensure([suffix])))
  const authorities = Authorities.open(inDir())
  const roots = await readFile(authorities.rootsFile, 'utf8')
  for (const { certificate } of await authorities.all()) expect(roots).toContain(certificate)
  expect((await authorities.ensure(suffixes)).flatMap((one) => one.suffixes).sort()).toEqual(suffixes)
})

test('keys are for their owner alone, also those that were not', async () => {
  const warnings: string[] = []
  const authorities = Authorities.open(inDir(), { onWarning: (message) => warnings.push(message) })
  await authorities.ensure(['localhost'])
  const key = join(inDir(), '1', 'key.pem')
  expect([await modeOf(inDir()), await modeOf(join(inDir(), '1')), await modeOf(key)]).toEqual([0o700, 0o700, 0o600])
  await chmod(inDir(), 0o755)
  await chmod(key, 0o644)
  await authorities.ensure(['localhost'])
  expect([await modeOf(inDir()), await modeOf(key)]).toEqual([0o700, 0o600])
  expect(warnings).toEqual([expect.stringContaining(`"${key}" could be read by other users`)])
})

test.each([
  ['the certificate is gone', async () => await rm(join(inDir(), '1', 'certificate.pem'))],
  ['the key is gone', async () => await rm(join(inDir(), '1', 'key.pem'))],
  ['the certificate is cut off', async () => await writeFile(join(inDir(), '1', 'certificate.pem'), 'no certificate')],
  ['the key is that of another CA', async () => await takeKeyOfAnother()],
])('a CA is set aside with a warning when %s', async (_, damage) => {
  const warnings: string[] = []
  const authorities = Authorities.open(inDir(), { onWarning: (message) => warnings.push(message) })
  const [old] = await authorities.ensure(['localhost'])
  await damage()
  expect(await authorities.all()).toEqual([])
  const [made] = await authorities.ensure(['localhost'])
  expect(made?.fingerprint).not.toBe(old?.fingerprint)
  expect(warnings).toEqual([
    expect.stringMatching(/ca\/1" is damaged .* set aside as ".*1\.damaged-\w+".*locald trust/u),
  ])
  expect(await readdir(inDir())).toContainEqual(expect.stringMatching(/^1\.damaged-/u))
  expect(await readFile(authorities.rootsFile, 'utf8')).toBe(made?.certificate)
})

async function takeKeyOfAnother(): Promise<void> {
  await Authorities.open(join(dir, 'other')).ensure(['localhost'])
  await writeFile(join(inDir(), '1', 'key.pem'), await readFile(join(dir, 'other', '1', 'key.pem')))
}

test('what cannot be read is said, and nothing is made in its place', async () => {
  const authorities = Authorities.open(inDir())
  await authorities.ensure(['localhost'])
  await chmod(dir, 0o755)
  await chmod(join(inDir(), '1'), 0)
  const nobody = 65_534
  const isRoot = process.geteuid?.() === 0
  if (isRoot) await chmod(inDir(), 0)
  if (isRoot) process.seteuid?.(nobody)
  try {
    await expect(authorities.all()).rejects.toMatchObject({ code: 'directory_refused' })
    await expect(authorities.ensure(['localhost'])).rejects.toMatchObject({ code: 'directory_refused' })
    await expect(authorities.issuerFor('a.localhost')).rejects.toMatchObject({ code: 'directory_refused' })
  } finally {
    if (isRoot) process.seteuid?.(0)
    await chmod(inDir(), 0o700)
    await chmod(join(inDir(), '1'), 0o700)
  }
  expect((await readdir(inDir())).sort()).toEqual(['1', 'roots.pem'])
})

test('a directory or a key of another user is refused', async () => {
  const isRoot = process.getuid?.() === 0
  if (!isRoot) return await expect(Authorities.open('/etc').all()).rejects.toMatchObject({ code: 'directory_refused' })
  const authorities = Authorities.open(inDir())
  await authorities.ensure(['localhost'])
  await chown(join(inDir(), '1', 'key.pem'), 65_534, 65_534)
  await expect(authorities.all()).rejects.toMatchObject({ code: 'directory_refused' })
  await chown(inDir(), 65_534, 65_534)
  await expect(authorities.ensure(['localhost'])).rejects.toMatchObject({ code: 'directory_refused' })
})

test('what a crash left of a CA is removed, after a while', async () => {
  for (const name of ['.new-old', '.new-now']) await mkdir(join(inDir(), name), { recursive: true })
  const old = new Date(Date.now() - dayMs)
  await utimes(join(inDir(), '.new-old'), old, old)
  await Authorities.open(inDir()).ensure(['localhost'])
  expect((await readdir(inDir())).sort()).toEqual(['.new-now', '1', 'roots.pem'])
})

test('a CA near its end gets a successor, and issues on until that has had time to be trusted', async () => {
  let now = Date.now()
  const authorities = Authorities.open(inDir(), { now: () => now })
  const [first] = await authorities.ensure(['localhost'])
  now += 3_649 * dayMs - 181 * dayMs
  expect(await authorities.ensure(['localhost'])).toEqual([first])
  expect(await authorities.all()).toHaveLength(1)
  now += 2 * dayMs
  expect(await authorities.ensure(['localhost'])).toEqual([first])
  const [, second] = await authorities.all()
  expect(second?.suffixes).toEqual(['localhost'])
  now += 90 * dayMs
  expect(await authorities.issuerFor('a.localhost')).toEqual(second)
  expect(await authorities.all()).toHaveLength(2)
  now += 91 * dayMs
  expect(await authorities.all()).toEqual([second])
  await authorities.ensure(['localhost'])
  expect(await readFile(authorities.rootsFile, 'utf8')).toBe(second?.certificate)
})

test('missing() tells what ensure() would make a CA for, and makes none', async () => {
  let now = Date.now()
  const authorities = Authorities.open(inDir(), { now: () => now })
  expect(await authorities.missing(['localhost', 'test'])).toEqual(['localhost', 'test'])
  expect(existsSync(inDir())).toBe(false)
  await authorities.ensure(['localhost'])
  expect(await authorities.missing(['localhost', 'shop.example.com'])).toEqual(['shop.example.com'])
  now += 3_649 * dayMs - 100 * dayMs
  expect(await authorities.missing(['localhost'])).toEqual(['localhost'])
  expect(await authorities.all()).toHaveLength(1)
})

test('withEnded() has those too that have ended, of which nothing else knows', async () => {
  let now = Date.now()
  const authorities = Authorities.open(inDir(), { now: () => now })
  const made = await authorities.ensure(['localhost'])
  now += 3_651 * dayMs
  expect([await authorities.all(), await authorities.withEnded()]).toEqual([[], made])
})

test('the certificate of a CA says what it is for, and its name is unlike any other', async () => {
  const authorities = Authorities.open(inDir())
  const made = [
    ...(await authorities.ensure(['localhost'])),
    ...(await authorities.ensure(['a-rather-long-name.example.com'])),
  ]
  for (const { certificate, name, serial, suffixes } of made) {
    const text = openssl(['x509', '-noout', '-text'], certificate)
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/u)
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/u)
    expect(text).toMatch(
      /Name Constraints: critical\s+Permitted:\s+DNS:\S+\s+Excluded:\s+IP:0\.0\.0\.0\/0\.0\.0\.0\s+IP:0:0:0:0:0:0:0:0\/0:0:0:0:0:0:0:0/u,
    )
    expect(text).toContain(`DNS:${suffixes.join()}`)
    expect(text).toContain('ASN1 OID: prime256v1')
    expect(text).toContain('Signature Algorithm: ecdsa-with-SHA256')
    expect(name.length).toBeLessThanOrEqual(64)
    expect(name).toMatch(new RegExp(`^locald .* ${serial.slice(0, 6)}$`, 'u'))
  }
  expect(new Set(made.map(({ name }) => name)).size).toBe(2)
})

test('issue() makes a server certificate for exactly one name', async () => {
  const now = Date.now()
  const authorities = Authorities.open(inDir())
  const [authority] = await authorities.ensure(['localhost'])
  const { certificate } = await authorities.issue('web.shop.localhost', around(now))
  const text = openssl(['x509', '-noout', '-text'], certificate)
  expect(text).toMatch(/Subject Alternative Name: \s*DNS:web\.shop\.localhost\n/u)
  expect(text).toMatch(/Extended Key Usage: \s*TLS Web Server Authentication\n/u)
  expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/u)
  const own = /Subject Key Identifier: \s*(\S+)/u.exec(
    openssl(['x509', '-noout', '-text'], authority?.certificate ?? ''),
  )
  expect(text).toMatch(new RegExp(`Authority Key Identifier: \\s*(keyid:)?${own?.[1]}`, 'u'))
  expect(new X509Certificate(certificate).checkHost('other.shop.localhost')).toBeUndefined()
})

test('issue() makes certificates for names with more than 64 characters', async () => {
  const authorities = Authorities.open(inDir())
  await authorities.ensure(['localhost'])
  const host = `${'a'.repeat(60)}.${'b'.repeat(60)}.localhost`
  const { certificate } = await authorities.issue(host, around(Date.now()))
  expect(new X509Certificate(certificate).checkHost(host)).toBe(host)
})

test('issue() refuses names that no CA covers, and no certificate outlives its CA', async () => {
  const authorities = Authorities.open(inDir())
  const [authority] = await authorities.ensure(['localhost'])
  for (const host of ['example.com', 'localhost.example.com', '*.localhost', '127.0.0.1']) {
    await expect(authorities.issue(host, around(Date.now()))).rejects.toThrow(UncoveredName)
  }
  const long = await authorities.issue('a.localhost', { notBefore: Date.now(), notAfter: Date.now() + 9_999 * dayMs })
  expect(long.notAfter).toBe(authority?.notAfter)
})

test('the constraints of a CA hold, in OpenSSL and in a handshake of Node', async () => {
  const authorities = Authorities.open(inDir())
  const [authority] = await authorities.ensure(['localhost'])
  if (authority === undefined) throw new Error('No CA was made')
  const pair = { certificate: authority.certificate, key: await readFile(join(inDir(), '1', 'key.pem'), 'utf8') }
  const good = await authorities.issue('web.localhost', around(Date.now()))
  const evil = await issueLeaf(pair, 'example.com', around(Date.now() - 1000)) // what a thief of the key could do
  expect(await verify(good.certificate, authorities.rootsFile)).toContain('OK')
  expect(await verify(evil.certificate, authorities.rootsFile)).toContain('permitted subtree violation')
  expect(await handshake(good, 'web.localhost', authority.certificate)).toBe('authorized')
  expect(await handshake(evil, 'example.com', authority.certificate)).toContain('permitted subtree violation')
})

test('bundleFile() holds the CAs of the system and our own, and follows changes', async () => {
  const authorities = Authorities.open(inDir())
  const [authority] = await authorities.ensure(['localhost'])
  const bundle = await authorities.bundleFile()
  const text = await readFile(bundle, 'utf8')
  expect(text.split('-----BEGIN CERTIFICATE-----').length).toBeGreaterThan(50)
  expect(text.endsWith(authority?.certificate ?? 'none')).toBe(true)
  const good = await authorities.issue('web.localhost', around(Date.now()))
  expect(await verify(good.certificate, bundle)).toContain('OK')
  const [second] = (await authorities.ensure(['test'])).slice(-1)
  expect(await readFile(await authorities.bundleFile(), 'utf8')).toContain(second?.certificate)
})

function openssl(args: readonly string[], input: string): string {
  return execFileSync('openssl', args, { input, encoding: 'utf8' })
}

async function verify(certificate: string, roots: string): Promise<string> {
  const leaf = join(dir, 'leaf.pem')
  await writeFile(leaf, certificate)
  const { stdout, stderr } = spawnSync('openssl', ['verify', '-CAfile', roots, leaf], { encoding: 'utf8' })
  return stdout + stderr
}

/** What a client says that trusts `ca` alone: `authorized`, or why not. */
async function handshake(pair: { certificate: string; key: string }, servername: string, ca: string): Promise<string> {
  const server = createServer({ cert: pair.certificate, key: pair.key })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername, ca })
  try {
    await once(socket, 'secureConnect')
    return socket.authorized ? 'authorized' : String(socket.authorizationError)
  } catch (error) {
    return String(error)
  } finally {
    socket.destroy()
    server.close()
    await once(server, 'close')
  }
}
