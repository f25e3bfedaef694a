import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Authorities } from '../certificates/authorities.ts'
import { writeTrustFile } from '../trust/trust-file.ts'
import { TrustState } from './trust-state.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'locald-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('TrustState tells the names of each authority apart, and says when some of those in use have changed', async () => {
  const authorities = join(directory, 'ca')
  const trustFile = join(directory, 'trust.json')
  const trust = async (...trusted: readonly string[]): Promise<void> => {
    await writeTrustFile(trustFile, { version: 1, verified_at: '', scope: 'all', trusted: [...trusted], stores: [] })
  }
  let changes = 0
  const state = new TrustState({ authorities, trustFile, onChange: () => (changes += 1) })
  const [first] = await Authorities.open(authorities).ensure(['localhost'])
  await trust(first?.fingerprint ?? '')
  await state.look(['shop.localhost'])
  expect([state.isTrusted('shop.localhost'), changes]).toEqual([true, 1])

  // One whose name came into use only now is known at once; one of another suffix changes nothing for it.
  expect([state.isTrusted('api.shop.localhost'), state.isTrusted('*.shop.localhost')]).toEqual([true, true])
  const hosts = ['shop.localhost', 'api.shop.localhost', 'shop.test', '*.lab.test']
  await state.look(hosts)
  const [second] = await Authorities.open(authorities).ensure(['test'])
  await state.look(hosts, { now: true })
  expect(hosts.map((host) => state.isTrusted(host))).toEqual([true, true, false, false])
  expect(changes).toBe(1)

  await trust(first?.fingerprint ?? '', second?.fingerprint ?? '')
  await state.look(hosts, { now: true })
  expect(hosts.map((host) => state.isTrusted(host))).toEqual([true, true, true, true])
  expect(changes).toBe(2)
  rmSync(trustFile)
  await state.look(hosts, { now: true })
  expect(hosts.map((host) => state.isTrusted(host))).toEqual([false, false, false, false])
  expect(changes).toBe(3)
})
