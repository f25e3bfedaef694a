import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Authorities } from './authorities.ts'
import { HostCertificates } from './host-certificates.ts'

let dir = ''
let authorities: Authorities
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'locald-hosts-'))
  authorities = Authorities.open(join(dir, 'ca'))
  await authorities.ensure(['localhost'])
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

test('names that one wildcard stands for share a certificate, which clients accept for each of them', async () => {
  const issue = vi.spyOn(authorities, 'issue')
  const certificates = new HostCertificates(authorities)
  const names = Array.from({ length: 600 }, (_, at) => `made-up-${at}.shop.localhost`)
  const contexts = new Set<SecureContext | null>()
  for (const name of names) contexts.add(await certificates.contextFor(name, false))
  expect([contexts.size, issue.mock.calls.length]).toEqual([1, 1])
  const [context] = contexts
  if (!context) throw new Error('There is one')
  expect(await namesAt(context, 'made-up-7.shop.localhost')).toBe('DNS:*.shop.localhost')
  await expect(namesAt(context, 'a.b.shop.localhost')).rejects.toThrow('does not match')
})

test('a name in use has its own certificate, which no flood of others costs it', async () => {
  const certificates = new HostCertificates(authorities)
  const own = await certificates.contextFor('web.shop.localhost', true)
  for (let at = 0; at < 600; at += 1) await certificates.contextFor(`x${at}.shop.localhost`, false)
  for (let at = 0; at < 600; at += 1) await certificates.contextFor(`x${at}.localhost`, false)
  const again = await certificates.contextFor('web.shop.localhost', true)
  expect(again).toBe(own)
  expect(own && (await namesAt(own, 'web.shop.localhost'))).toBe('DNS:web.shop.localhost')
})

test('below a wildcard of a whole ending each name has its own certificate, of which only so many are made', async () => {
  let now = 0
  const issue = vi.spyOn(authorities, 'issue')
  const certificates = new HostCertificates(authorities, { clock: () => now })
  const ask = async (from: number): Promise<number> => {
    const found = await Promise.all(
      Array.from({ length: 100 }, async (_, at) => await certificates.contextFor(`x${from + at}.localhost`, false)),
    )
    return found.filter((context) => context !== null).length
  }
  expect(await ask(0)).toBe(20)
  // Those that there are cost nothing.
  expect([await ask(0), issue.mock.calls.length]).toEqual([20, 20])
  now += 5000
  expect(await ask(100)).toBe(10)
})

/** The names in the certificate that a client accepts for this one. */
async function namesAt(context: SecureContext, servername: string): Promise<string | undefined> {
  const server = createServer({ SNICallback: (_, answer) => answer(null, context) })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const ca = (await authorities.all()).map(({ certificate }) => certificate)
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername, ca })
    await once(socket, 'secureConnect')
    const names = new X509Certificate(socket.getPeerCertificate().raw).subjectAltName
    socket.destroy()
    return names
  } finally {
    server.close()
  }
}
