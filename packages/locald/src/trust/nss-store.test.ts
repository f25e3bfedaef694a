import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { issueLeaf } from '../certificates/issue.ts'
import { findNssTools, nssStore } from './nss-store.ts'
import type { NssTools } from './nss-store.ts'
import { createPrivatePlace, faultsOf, hasProgram, removeFrom, trustIn } from './testing/private-place.ts'
import type { PrivatePlace } from './testing/private-place.ts'
import type { TrustStore } from './trust-store.ts'

const testWithNss = test.runIf(hasProgram('certutil') && hasProgram('tstclnt'))

async function storeIn(
  place: PrivatePlace,
  changes: Partial<NssTools> & { exists?: boolean } = {},
): Promise<TrustStore> {
  const { exists = false, ...tools } = changes
  const directory = join(place.home, '.pki/nssdb')
  return await nssStore({ directory, label: 'Chromium', exists }, { ...(await findNssTools(place)), ...tools }, place)
}

const certificatesIn = (store: TrustStore): string =>
  execFileSync('certutil', ['-L', '-d', `sql:${store.path}`], { encoding: 'utf8' })

testWithNss('a database is made, trusts a CA after it was added, and no more after it was removed', async () => {
  using place = createPrivatePlace()
  const [authority] = await place.authorities.ensure(['localhost'])
  const store = await storeIn(place)
  expect(await faultsOf(place, [store])).toEqual([expect.stringContaining('SEC_ERROR_BAD_DATABASE')])
  expect(await trustIn(place, [store])).toEqual(new Map())
  const made = await storeIn(place, { exists: true })
  expect(await faultsOf(place, [made])).toEqual([null])
  expect(certificatesIn(made)).toMatch(new RegExp(`^${authority?.name} +C,,`, 'mu'))
  expect(await removeFrom(place, [made])).toEqual([made.id])
  expect(await faultsOf(place, [made])).toEqual([expect.stringContaining('SEC_ERROR_UNKNOWN_ISSUER')])
  expect(await removeFrom(place, [made])).toEqual([])
})

testWithNss('two CAs are in one database, and what is not ours stays in it', async () => {
  using place = createPrivatePlace()
  await place.authorities.ensure(['localhost'])
  await trustIn(place, [await storeIn(place)])
  using stranger = createPrivatePlace()
  const [foreign] = await stranger.authorities.ensure(['localhost'])
  const store = await storeIn(place, { exists: true })
  await trustIn(stranger, [store])
  await place.authorities.ensure(['test'])
  expect(await faultsOf(place, [store])).toEqual([null, expect.stringContaining('UNKNOWN_ISSUER')])
  await trustIn(place, [store])
  expect(await faultsOf(place, [store])).toEqual([null, null])
  await removeFrom(place, [store])
  expect(certificatesIn(store).match(/locald /gu)).toHaveLength(1)
  expect(certificatesIn(store)).toContain(foreign?.name)
})

testWithNss('NSS refuses what a stolen key could sign for other sites', async () => {
  using place = createPrivatePlace()
  const [authority] = await place.authorities.ensure(['localhost'])
  if (authority === undefined) throw new Error('No CA was made')
  await trustIn(place, [await storeIn(place)])
  const store = await storeIn(place, { exists: true })
  const pair = { certificate: authority.certificate, key: readFileSync(join(authority.file, '../key.pem'), 'utf8') }
  const now = Date.now()
  const leaf = await issueLeaf(pair, 'example.com', { notBefore: now - 1000, notAfter: now + 60_000 })
  const server = createServer({ cert: leaf.certificate, key: leaf.key }).on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const probe = {
    host: 'example.com',
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {},
  }
  expect(await store.verify(authority, probe)).toContain('SEC_ERROR_CERT_NOT_IN_NAME_SPACE')
  server.close()
  await once(server, 'close')
})

testWithNss('NSS accepts a certificate for a wildcard, for the names that it stands for', async () => {
  using place = createPrivatePlace()
  const [authority] = await place.authorities.ensure(['localhost'])
  if (authority === undefined) throw new Error('No CA was made')
  await trustIn(place, [await storeIn(place)])
  const store = await storeIn(place, { exists: true })
  const now = Date.now()
  const validity = { notBefore: now - 1000, notAfter: now + 60_000 }
  const { certificate, key } = await place.authorities.issue('*.shop.localhost', validity)
  const server = createServer({ cert: certificate, key }, (socket) => socket.end('x'))
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const faultFor = async (host: string): Promise<string | null> =>
    await store.verify(authority, { host, port, [Symbol.asyncDispose]: async () => {} })
  expect(await faultFor('anything.shop.localhost')).toBeNull()
  expect(await faultFor('shop.localhost')).toContain('SSL_ERROR_BAD_CERT_DOMAIN')
  server.close()
})

testWithNss('what is trusted already is left alone', async () => {
  using place = createPrivatePlace()
  await place.authorities.ensure(['localhost'])
  await trustIn(place, [await storeIn(place)])
  const store = await storeIn(place, { exists: true })
  const before = readdirSync(store.path)
  rmSync(join(store.path, 'pkcs11.txt')) // any change would write it anew
  await trustIn(place, [store])
  expect(readdirSync(store.path)).toEqual(before.filter((name) => name !== 'pkcs11.txt'))
})

testWithNss('a CA that somebody has distrusted is trusted again', async () => {
  using place = createPrivatePlace()
  const [authority] = await place.authorities.ensure(['localhost'])
  await trustIn(place, [await storeIn(place)])
  const store = await storeIn(place, { exists: true })
  execFileSync('certutil', ['-M', '-d', `sql:${store.path}`, '-t', ',,', '-n', authority?.name ?? ''])
  expect(await faultsOf(place, [store])).toEqual([expect.stringContaining('UNTRUSTED')])
  await trustIn(place, [store])
  expect(await faultsOf(place, [store])).toEqual([null])
})

testWithNss(
  'a database with a primary password is said and left as it was, instead of waiting for the password',
  async () => {
    using place = createPrivatePlace()
    await place.authorities.ensure(['localhost'])
    const password = place.write('password', 'secret\n')
    execFileSync('certutil', ['-N', '-d', `sql:${place.write('home/ann/.pki/nssdb/')}`, '-f', password])
    const store = await storeIn(place, { exists: true })
    const failures = await trustIn(place, [store])
    expect(failures.get(store.id)).toMatch(/certutil -A failed: .*SEC_ERROR_BAD_PASSWORD/u)
    expect(certificatesIn(store)).not.toContain('locald')
  },
)

testWithNss('without the client of NSS, its own word is taken', async () => {
  using place = createPrivatePlace()
  await place.authorities.ensure(['localhost'])
  await trustIn(place, [await storeIn(place, { tstclnt: null })])
  const store = await storeIn(place, { tstclnt: null, exists: true })
  expect(await faultsOf(place, [store])).toEqual([null])
  expect([store.proof, (await storeIn(place, { exists: true })).proof]).toEqual(['statement', 'handshake'])
})

test.each([
  ['ID=ubuntu\nID_LIKE=debian', 'sudo apt-get install libnss3-tools'],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"', 'sudo dnf install nss-tools'],
  ['ID=arch', 'sudo pacman -S nss'],
  ['ID="opensuse-tumbleweed"', 'sudo zypper install mozilla-nss-tools'],
  ['', 'Install the tools of NSS ("certutil")'],
])('without certutil nothing is done, and it is said how to get it (%j)', async (osRelease, fix) => {
  using place = createPrivatePlace()
  await place.authorities.ensure(['localhost'])
  place.write('etc/os-release', osRelease)
  const store = await storeIn(place, { certutil: null })
  expect(store.obstacle).toEqual({ reason: '"certutil" of NSS is missing', fix })
  expect(await trustIn(place, [store])).toEqual(new Map())
  expect(readdirSync(place.home)).toEqual([])
})
