import { expect, test } from 'vitest'
import { examine } from './examine.ts'
import { fine } from './verdict.ts'

test('all checks are made at once, and answer in their order', async () => {
  let finish: () => void = () => undefined
  const other = new Promise<void>((resolve) => (finish = resolve))
  const findings = await examine(
    [
      { id: 'node', look: async () => await other.then(() => fine('first')) },
      {
        id: 'clock',
        look: () => {
          finish()
          return [fine('second'), fine('third')]
        },
      },
      { id: 'dns', look: () => [] },
    ],
    10_000,
  )
  expect(findings.map(({ id, message }) => [id, message])).toEqual([
    ['node', 'first'],
    ['clock', 'second'],
    ['clock', 'third'],
  ])
})

test('a check that fails or never ends is a finding', async () => {
  const findings = await examine(
    [
      { id: 'node', look: () => Promise.reject(new Error('no luck')) },
      {
        id: 'ports',
        look: () => {
          throw new Error('nor here')
        },
      },
      { id: 'docker', look: () => new Promise(() => undefined) },
    ],
    20,
  )
  expect(findings).toMatchObject([
    { id: 'node', severity: 'error', message: 'Could not be found out: no luck' },
    { id: 'ports', severity: 'error', message: 'Could not be found out: nor here' },
    { id: 'docker', severity: 'warning', message: 'Could not be found out within 0.02 s' },
  ])
})
