import { describe, expect, test } from 'vitest'
import { newInstance } from './instance.ts'
import type { Instance } from './instance.ts'
import { afterNotified, afterRefused, healthShown, nothingNotified } from './notify-memory.ts'
import { next } from './service-machine.ts'
import type { MachineInput, MachineSettings, Step } from './service-machine.ts'

const settings: MachineSettings = {
  isTask: false,
  isSite: false,
  hasToServe: false,
  restart: 'on-failure',
  startTimeoutMs: 1000,
  onUnhealthy: 'ignore',
  stopSignal: 'SIGTERM',
  hash: 'h',
  schedule: null,
  isOnRequest: false,
  endsUnused: false,
}
const sender = { pid: 7, uid: 0, command: 'sender', verdict: 'member' } as const
const identity = { pid: 100, startTime: 5, marker: 'm', lockLimit: null }
const run = 'r1'

const say = (fields: Readonly<Record<string, string>>, at = 0): MachineInput => ({
  type: 'notified',
  run,
  fields,
  sender,
  at,
})
const healthy: MachineInput = { type: 'healthy', run, source: 'tcp', message: 'Listens', ports: [1], warnings: [] }
const unhealthy: MachineInput = { type: 'unhealthy', run, source: 'tcp', message: 'Gone', output: null }
const watchdog = (is: 'missed' | 'resumed'): MachineInput => ({ type: 'watchdog', run, is, periodMs: 5000 })
const started: readonly MachineInput[] = [
  { type: 'start' },
  { type: 'dependencies-met', run },
  { type: 'spawned', run, identity, at: 0 },
]

function walk(inputs: readonly MachineInput[], with_: Partial<MachineSettings> = {}, now = 10): Step {
  let step: Step = { instance: newInstance, effects: [], event: null }
  for (const input of [...started, ...inputs]) step = next(step.instance, input, { ...settings, ...with_ }, now)
  return step
}

const message = ({ memory }: Instance): string | undefined => healthShown(memory)?.message

describe('what a service says of itself', () => {
  test.each([
    ['is shown beside its check', [healthy, say({ STATUS: 'Serving' })], 'Listens; it says "Serving"'],
    ['is one line without colours', [healthy, say({ STATUS: '\u001b[31ma\tb\u0007' })], 'Listens; it says "a b"'],
    ['is gone when it is empty', [healthy, say({ STATUS: 'x' }), say({ STATUS: '' })], 'Listens'],
    ['is shown before its first check', [say({ STATUS: 'Loading' })], 'it says "Loading"'],
    ['shows a reload', [healthy, say({ RELOADING: '1', MONOTONIC_USEC: '1' })], 'Listens; Reloading'],
    ['shows no reload that is over', [healthy, say({ RELOADING: '1' }), say({ READY: '1' })], 'Listens'],
    ['counts in its order', [healthy, say({ RELOADING: '1', READY: '1' })], 'Listens'],
  ])('%s', (_, inputs, shown) => {
    expect(message(walk(inputs).instance)).toBe(shown)
  })

  test('is forgotten with its run', () => {
    const crashed = walk([healthy, say({ STATUS: 'x', READY: '1' }), ...crash()], {}, 10)
    const again = next(crashed.instance, { type: 'due' }, settings, 1000)
    const { instance } = next(again.instance, { type: 'dependencies-met', run: 'r2' }, settings, 1000)
    expect(crashed.instance.memory.notify).not.toBeNull()
    expect(instance).toMatchObject({ state: { id: 'starting' }, memory: { notify: null } })
  })

  test('a reload leaves it healthy, a stop does not', () => {
    expect(walk([healthy, say({ RELOADING: '1' })]).instance.state).toMatchObject({ healthy: true })
    const stopping = walk([healthy, say({ STOPPING: '1', STATUS: 'Bye' })])
    expect(stopping).toMatchObject({
      event: 'service.unhealthy',
      instance: { state: { id: 'running', healthy: false } },
    })
    expect(message(stopping.instance)).toBe('Is about to stop (STOPPING=1); it says "Bye"')
  })

  test('its checks do not make it healthy while it stops, and do once it takes that back', () => {
    const stopping = [healthy, say({ STOPPING: '1' }), healthy]
    expect(walk(stopping).instance.state).toMatchObject({ healthy: false })
    expect(walk([...stopping, say({ READY: '1' })])).toMatchObject({
      event: 'service.healthy',
      instance: { state: { healthy: true } },
    })
    expect(walk([...stopping, unhealthy, say({ READY: '1' })]).instance.state).toMatchObject({ healthy: false })
  })

  test('READY=1 alone changes nothing but what is known: its monitor decides', () => {
    const { instance } = walk([say({ READY: '1' })])
    expect(instance.state.id).toBe('starting')
    expect(instance.memory.notify?.isReady).toBe(true)
  })

  test('its errno is part of the reason of its exit', () => {
    const exited: MachineInput = { type: 'exited', run, code: 3, signal: null, at: 0, members: 0 }
    const { memory } = walk([say({ ERRNO: '2' }), exited]).instance
    expect(memory.exit?.reason).toBe('exited with code 3 (ENOENT: no such file or directory)')
  })

  test('more time is given while it starts, also when it is overdue already', () => {
    const extend = say({ EXTEND_TIMEOUT_USEC: '5000000' }, 10)
    expect(walk([extend]).instance.state).toMatchObject({ deadline: 5010 })
    expect(walk([say({ EXTEND_TIMEOUT_USEC: '1000' }, 10)]).instance.state).toMatchObject({ deadline: 1000 })
    const overdue = walk([{ type: 'due' }], {}, 2000)
    expect(overdue.instance.state).toMatchObject({ overdue: true })
    expect(next(overdue.instance, extend, settings, 2000).instance.state).toMatchObject({
      overdue: false,
      deadline: 5010,
    })
    expect(walk([extend], { startTimeoutMs: null }).instance.state).toMatchObject({ deadline: null })
  })
})

describe('a missed watchdog', () => {
  test('makes it unhealthy and ends it, and the restart policy says the rest', () => {
    const missed = walk([healthy, watchdog('missed')])
    expect(missed).toMatchObject({
      event: 'service.unhealthy',
      effects: [{ type: 'end' }],
      instance: { state: { id: 'stopping', afterwards: 'policy' } },
    })
    const over = walk([healthy, watchdog('missed'), ...crash()])
    expect(over.instance.state).toMatchObject({ id: 'backoff', reason: 'missed its watchdog' })
  })

  test('leaves alone what is never restarted, which is healthy again when it is back', () => {
    const never = { restart: 'never' } as const
    const missed = walk([healthy, watchdog('missed'), healthy], never)
    expect(missed.instance.state).toMatchObject({ id: 'running', healthy: false })
    expect(message(missed.instance)).toBe('Missed its watchdog: no WATCHDOG=1 for 5 s')
    expect(walk([healthy, watchdog('missed'), watchdog('resumed')], never)).toMatchObject({
      event: 'service.healthy',
      instance: { state: { healthy: true } },
    })
  })
})

describe('messages', () => {
  test('are kept, the latest of them, with who sent them and why they count', () => {
    let memory = nothingNotified
    for (let n = 0; n < 20; n++) memory = afterNotified(memory, { STATUS: `${n}` }, sender, n)
    const outside = { reason: 'outside', fields: { READY: '1' }, sender, count: 5 } as const
    memory = afterRefused(memory, outside, 99)
    expect(memory.messages).toHaveLength(8)
    expect(memory.messages.at(-1)).toEqual({
      at: 99,
      text: 'READY=1',
      sender: { pid: 7, uid: 0, command: 'sender' },
      verdict: 'outside',
      count: 5,
    })
    expect(memory).toMatchObject({ refused: 5, isReady: false, status: '19' })
  })
})

function crash(): readonly MachineInput[] {
  return [
    { type: 'exited', run, code: 1, signal: null, at: 10, members: 0 },
    { type: 'emptied', run, survivors: [] },
  ]
}
