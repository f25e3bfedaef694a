import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Authorities, UncoveredName } from './authorities.ts'
import { LeafCache } from './leaf-cache.ts'

const dayMs = 86_400_000
let dir = ''
let now = 0
let authorities: Authorities
beforeEach(async () => {
  now = Date.now()
  dir = await mkdtemp(join(tmpdir(), 'locald-leaf-'))
  authorities = Authorities.open(join(dir, 'ca'), { now: () => now })
  await authorities.ensure(['localhost'])
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

const createCache = (options: { capacity?: number; onRenewalFailed?: () => void } = {}): LeafCache =>
  new LeafCache(authorities, { now: () => now, ...options })

test('contextFor() serves a certificate for exactly the name asked for, backdated by an hour', async () => {
  const leaf = await servedBy(await createCache().contextFor('Web.Shop.localhost.'), 'web.shop.localhost')
  expect(leaf.subjectAltName).toBe('DNS:web.shop.localhost')
  expect(Math.round((now - Date.parse(leaf.validFrom)) / 60_000)).toBe(60)
  expect(Math.round((Date.parse(leaf.validTo) - now) / dayMs)).toBe(60)
})

test('contextFor() issues once for a name, however many ask at once', async () => {
  const issue = vi.spyOn(authorities, 'issue')
  const cache = createCache()
  const contexts = await Promise.all(Array.from({ length: 20 }, () => cache.contextFor('a.localhost')))
  expect(new Set(contexts).size).toBe(1)
  expect(await cache.contextFor('a.localhost')).toBe(contexts[0])
  expect(issue).toHaveBeenCalledTimes(1)
})

test('a certificate is renewed after two thirds of its life, without anybody waiting for it', async () => {
  const cache = createCache()
  const first = await cache.contextFor('a.localhost')
  now += 39 * dayMs
  expect(await cache.contextFor('a.localhost')).toBe(first)
  now += 2 * dayMs
  const issue = vi.spyOn(authorities, 'issue')
  expect(await cache.contextFor('a.localhost')).toBe(first)
  expect(await cache.contextFor('a.localhost')).toBe(first)
  expect(issue).toHaveBeenCalledTimes(1)
  await vi.waitFor(async () => expect(await cache.contextFor('a.localhost')).not.toBe(first))
  const renewed = await servedBy(await cache.contextFor('a.localhost'), 'a.localhost')
  expect(Date.parse(renewed.validTo)).toBeGreaterThan(now + 59 * dayMs)
})

test.each([
  ['has ended', 61 * dayMs],
  ['is not valid yet, as the clock was set back', -dayMs],
])('a certificate that %s is never served', async (_, passed) => {
  const cache = createCache()
  const first = await cache.contextFor('a.localhost')
  now += passed
  const second = await cache.contextFor('a.localhost')
  expect(second).not.toBe(first)
  const { validFrom, validTo } = await servedBy(second, 'a.localhost')
  expect(Date.parse(validFrom)).toBeLessThan(now)
  expect(Date.parse(validTo)).toBeGreaterThan(now)
})

test('a renewal that fails is told, and the old certificate is served until its end, not longer', async () => {
  const failures = vi.fn()
  const cache = createCache({ onRenewalFailed: failures })
  const first = await cache.contextFor('a.localhost')
  await rm(join(dir, 'ca'), { recursive: true })
  now += 50 * dayMs
  expect(await cache.contextFor('a.localhost')).toBe(first)
  await vi.waitFor(() => expect(failures).toHaveBeenCalledWith('a.localhost', expect.any(UncoveredName)))
  now += 11 * dayMs
  await expect(cache.contextFor('a.localhost')).rejects.toThrow(UncoveredName)
})

test('a CA that has taken the place of another one issues within a second', async () => {
  const cache = createCache()
  const first = await cache.contextFor('a.localhost')
  await rm(join(dir, 'ca'), { recursive: true })
  const [other] = await authorities.ensure(['localhost'])
  now += 1000
  const { issuer, ca } = await servedBy(await cache.contextFor('a.localhost'), 'a.localhost')
  expect([issuer, ca]).toEqual([expect.stringContaining(`CN=${other?.name}`), false])
  expect(await cache.contextFor('a.localhost')).not.toBe(first)
})

test('a certificate is served while its CA cannot be read', async () => {
  const cache = createCache()
  const first = await cache.contextFor('a.localhost')
  await rm(join(dir, 'ca'), { recursive: true })
  await writeFile(join(dir, 'ca'), 'not a directory')
  now += 1000
  expect(await cache.contextFor('a.localhost')).toBe(first)
})

test('the name that was not asked for longest is forgotten first', async () => {
  const cache = createCache({ capacity: 2 })
  const a = await cache.contextFor('a.localhost')
  const b = await cache.contextFor('b.localhost')
  await cache.contextFor('a.localhost')
  await cache.contextFor('c.localhost')
  expect(await cache.contextFor('a.localhost')).toBe(a)
  expect(await cache.contextFor('b.localhost')).not.toBe(b)
})

test('a name whose issuing failed can be asked for again', async () => {
  const cache = createCache()
  await expect(cache.contextFor('shop.test')).rejects.toThrow(UncoveredName)
  await authorities.ensure(['test'])
  expect((await servedBy(await cache.contextFor('shop.test'), 'shop.test')).subjectAltName).toBe('DNS:shop.test')
})

test.each(['', '127.0.0.1', '::1', '*.localhost', 'example.com', 'a\0.localhost'])(
  'contextFor() refuses %j',
  async (name) => {
    await expect(createCache().contextFor(name)).rejects.toThrow(UncoveredName)
  },
)

/** The certificate that a client sees. */
async function servedBy(context: SecureContext, servername: string): Promise<X509Certificate> {
  const server = createServer({ SNICallback: (_, answer) => answer(null, context) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = (server.address() as AddressInfo).port
  const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const leaf = new X509Certificate(socket.getPeerCertificate().raw)
  socket.destroy()
  server.close()
  await once(server, 'close')
  return leaf
}
