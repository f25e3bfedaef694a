import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { createPrivatePlace } from './testing/private-place.ts'
import type { PrivatePlace } from './testing/private-place.ts'
import { carryOut } from './trust-plan.ts'
import type { TrustStep } from './trust-plan.ts'
import type { TrustStore } from './trust-store.ts'

afterEach(() => vi.restoreAllMocks())

const storeOf = (id: string, needsRoot: boolean): TrustStore => ({
  id,
  kind: 'system',
  label: id,
  path: '/',
  obstacle: null,
  needsRoot,
  has: async () => await Promise.resolve(false),
  preparations: [],
  additions: () => [],
  removals: () => [],
  refresh: [],
  refreshAfterRemoval: [],
  proof: 'handshake',
  verify: async () => await Promise.resolve(null),
})
const writing = (place: PrivatePlace, id: string, needsRoot: boolean): TrustStep => ({
  store: storeOf(id, needsRoot),
  changes: [{ type: 'write', path: join(place.root, id), text: `${id}\n` }],
  undo: [],
})
const asUser = (): void => {
  vi.spyOn(process, 'getuid').mockReturnValue(1000)
}

/** Stands in for sudo: notes how it was called, and runs the rest. */
function placeSudo(place: PrivatePlace, exit = 'exec'): void {
  place.write('usr/bin/sudo', `#!/bin/sh
echo call >> "${place.root}/calls"
while [ "$1" != -- ]; do printf '%s\\n' "$1" >> "${place.root}/options"; shift; done; shift
${exit} "$@"
`, 0o755) // prettier-ignore
}

test('all that needs root is done by one call of sudo, and the rest without', async () => {
  using place = createPrivatePlace()
  placeSudo(place)
  asUser()
  const steps = [writing(place, 'a', true), writing(place, 'b', false), writing(place, 'c', true)]
  expect(await carryOut(steps, { place, isInteractive: false })).toEqual(new Map())
  expect(['a', 'b', 'c'].map((name) => readFileSync(join(place.root, name), 'utf8'))).toEqual(['a\n', 'b\n', 'c\n'])
  expect(readFileSync(join(place.root, 'calls'), 'utf8')).toBe('call\n')
  expect(readFileSync(join(place.root, 'options'), 'utf8')).toBe('-n\n')
})

test('sudo may ask when somebody is there', async () => {
  using place = createPrivatePlace()
  placeSudo(place)
  asUser()
  expect(await carryOut([writing(place, 'a', true)], { place, isInteractive: true })).toEqual(new Map())
  expect(existsSync(join(place.root, 'options'))).toBe(false)
})

test.each([
  ['there is no sudo', () => undefined, 'It needs root, and there is no sudo'],
  ['sudo refuses', (place: PrivatePlace) => placeSudo(place, 'exit 1;'), 'It needs root, and sudo exited with 1'],
])('what needs no root is done also when %s', async (_, prepare, reason) => {
  using place = createPrivatePlace()
  prepare(place)
  asUser()
  const steps = [writing(place, 'a', true), writing(place, 'b', false)]
  expect(await carryOut(steps, { place, isInteractive: false })).toEqual(new Map([['a', reason]]))
  expect([existsSync(join(place.root, 'a')), existsSync(join(place.root, 'b'))]).toEqual([false, true])
})

test('root needs no sudo', async () => {
  using place = createPrivatePlace()
  vi.spyOn(process, 'getuid').mockReturnValue(0)
  expect(await carryOut([writing(place, 'a', true)], { place, isInteractive: false })).toEqual(new Map())
  expect(existsSync(join(place.root, 'a'))).toBe(true)
})
