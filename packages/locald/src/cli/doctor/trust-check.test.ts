import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TrustStoreReport } from '@locald/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkClock } from '../../admin/doctor/system-checks.ts'
import { Authorities } from '../../certificates/authorities.ts'
import { installationFor } from '../../lib/installation.ts'
import type { CommandContext } from '../command.ts'
import { checkTrustStores, readAuthorities, trustedVerdicts } from './trust-check.ts'

const dayMs = 86_400_000
let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'trust-check-'))
})
afterEach(() => rmSync(home, { recursive: true }))

test('authorities that have ended are seen, and not taken for none', async () => {
  const installation = installationFor({ LOCALD_HOME: home })
  const context = { installation, env: {} } as unknown as CommandContext
  expect(await checkTrustStores(context)).toMatchObject([
    { severity: 'ok', message: expect.stringContaining('There is no') },
  ])
  const made = Authorities.open(installation.authorities, { now: () => Date.now() - 4000 * dayMs })
  await made.ensure(['localhost'])
  expect(await checkTrustStores(context)).toMatchObject([
    { severity: 'warning', message: 'Every certificate authority has expired', fix: 'locald trust' },
  ])
  expect(checkClock(await readAuthorities(installation), Date.now())).toMatchObject({
    severity: 'error',
    message: 'A certificate authority has expired',
  })
})

test('what was only asked is not called a handshake', () => {
  const store = (label: string, proof: TrustStoreReport['proof']): TrustStoreReport => {
    return { id: label, kind: 'nss', label, path: '/', proof, trusted: true, reason: null, fix: null }
  }
  const both = [store('The system', 'handshake'), store('Firefox', 'statement'), store('Chromium', 'statement')]
  expect(trustedVerdicts(both).map(({ message }) => message)).toEqual([
    'Trusted by The system: verified by a handshake',
    'Trusted by Firefox, Chromium: valid for servers, as the store says (no handshake was made)',
  ])
})
