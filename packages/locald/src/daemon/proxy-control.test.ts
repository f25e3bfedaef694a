import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { emptyState } from '../supervisor/state.ts'
import { NameLookups } from './name-lookups.ts'
import { ProxyControl } from './proxy-control.ts'
import { PublicNames } from './public-names.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'locald-'))
  vi.useFakeTimers({ toFake: ['setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

/** Of a thread with this program. */
function controlOf(program: string): ProxyControl {
  const nothing = (): void => {}
  const logger = { log: nothing }
  const state = emptyState()
  return new ProxyControl({
    state,
    names: new PublicNames({
      state,
      ports: null,
      file: join(directory, 'names.json'),
      onDamaged: nothing,
      lookups: new NameLookups(nothing),
      isTrusted: () => false,
      logger,
      aliases: () => new Map(),
    }),
    listeners: [],
    program,
    authorities: join(directory, 'ca'),
    rootsFile: join(directory, 'ca/roots.pem'),
    isTrusted: () => false,
    aliases: () => new Map(),
    logger,
    describe: async () => null,
    onListening: nothing,
    onWanted: nothing,
    onActivity: nothing,
  })
}

test('certificates that cannot be made are waited for once, and not at every start', async () => {
  await using control = controlOf(`
    const { parentPort } = require('node:worker_threads')
    parentPort.on('message', ({ type, suffixes }) => {
      if (type === 'ensure') parentPort.postMessage({ type: 'ensured', suffixes })
    })`)
  await control.certificates()
  await expect(control.certificates()).resolves.toBeUndefined()
})

test('a thread that says nothing of certificates holds up no start for long', async () => {
  await using control = controlOf('setInterval(() => {}, 1000)')
  const first = control.certificates()
  await vi.advanceTimersByTimeAsync(3000)
  await first
  await expect(control.certificates()).resolves.toBeUndefined()
})
