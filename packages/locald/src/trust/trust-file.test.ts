import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkTrust } from './check-trust.ts'
import { systemStore } from './system-store.ts'
import { surveyStores } from './survey.ts'
import { createPrivatePlace } from './testing/private-place.ts'
import { installedCas, isTrusted, readTrustFile, writeTrustFile } from './trust-file.ts'
import { trustFileOf, trustReport } from './trust-report.ts'

test('https is for names whose CAs were all verified, and for none without a file', async () => {
  using place = createPrivatePlace()
  const path = join(place.root, 'state/trust.json')
  const [first] = await place.authorities.ensure(['localhost'])
  if (first === undefined) throw new Error('No CA was made')
  place.write('etc/ssl/certs/ca-certificates.crt', first.certificate)
  const [second] = await place.authorities.ensure(['test'])
  if (second === undefined) throw new Error('No CA was made')
  const authorities = await place.authorities.all()
  const surveys = await surveyStores([await systemStore(place)], place.authorities, authorities)
  expect(isTrusted([first], await readTrustFile(path))).toBe(false)

  await writeTrustFile(path, trustFileOf({ surveys, scope: 'all' }, { now: 0, old: null, installed: new Map() }))
  const file = await readTrustFile(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(file).toMatchObject({ version: 1, verified_at: '1970-01-01T00:00:00.000Z', trusted: [first.fingerprint] })
  expect([isTrusted([first], file), isTrusted([second], file), isTrusted([first, second], file)]).toEqual([
    true,
    false,
    false,
  ])

  const report = trustReport({ authorities, surveys, scope: 'all' })
  expect(report.trusted).toBe(false)
  expect(report.authorities.map(({ trusted }) => trusted)).toEqual([true, false])
  expect(report.stores).toEqual([
    expect.objectContaining({ id: 'system', trusted: false, reason: expect.any(String), fix: expect.any(String) }),
  ])
})

test('nothing is trusted when there is no store', async () => {
  using place = createPrivatePlace()
  const authorities = await place.authorities.ensure(['localhost'])
  expect(trustReport({ authorities, surveys: [], scope: 'browsers' }).trusted).toBe(false)
  expect(trustFileOf({ surveys: [], scope: 'browsers' }, { now: 0, old: null, installed: new Map() }).trusted).toEqual(
    [],
  )
})

test.each(['', '{', '{"version":2}', '[]'])('a file that cannot be understood (%j) trusts nothing', async (text) => {
  using place = createPrivatePlace()
  expect(isTrusted([], await readTrustFile(place.write('trust.json', text)))).toBe(false)
})

test('checkTrust() looks anew, in the scope that was chosen', async () => {
  using place = createPrivatePlace()
  const path = join(place.root, 'state/trust.json')
  expect(await checkTrust(place.authorities, path, place)).toBeNull()
  const [authority] = await place.authorities.ensure(['localhost'])
  const bundle = place.write('etc/ssl/certs/ca-certificates.crt', authority?.certificate)
  await writeTrustFile(path, trustFileOf({ surveys: [], scope: 'system' }, { now: 0, old: null, installed: new Map() }))
  expect(await checkTrust(place.authorities, path, place)).toMatchObject({
    trusted: true,
    scope: 'system',
    stores: [{ id: 'system' }],
  })
  rmSync(bundle)
  expect(await checkTrust(place.authorities, path, place)).toMatchObject({
    trusted: false,
    stores: [{ reason: expect.any(String) }],
  })
})

test('what was put into stores that are not looked at now stays noted', () => {
  const store = { id: 'nss:/gone', label: 'Firefox', path: '/gone', verified: ['a'] }
  const installed = [{ fingerprint: 'a', name: 'locald a' }]
  const old = {
    version: 1 as const,
    verified_at: '',
    scope: 'all' as const,
    trusted: ['a'],
    stores: [{ ...store, installed }],
  }
  const file = trustFileOf({ surveys: [], scope: 'browsers' }, { now: 0, old, installed: new Map() })
  expect(file.stores).toEqual([{ ...store, verified: [], installed }])
  expect(installedCas(file)).toEqual(installed)
})
