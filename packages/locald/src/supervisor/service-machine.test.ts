import { array, assert, constantFrom, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newInstance, runOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { crashLimit } from './restart-policy.ts'
import { dueAt, isFileWatched, next } from './service-machine.ts'
import type { Effect, MachineInput, MachineSettings, Step } from './service-machine.ts'

const settings: MachineSettings = {
  isTask: false,
  isSite: false,
  hasToServe: false,
  restart: 'on-failure',
  startTimeoutMs: 60_000,
  onUnhealthy: 'ignore',
  stopSignal: 'SIGTERM',
  hash: 'h',
  schedule: null,
  isOnRequest: false,
  endsUnused: false,
}
/** A task that runs every ten minutes. */
const periodic: Partial<MachineSettings> = { isTask: true, restart: 'never', schedule: '*/10 * * * *' }
/** Files that are built and then served. */
const site: Partial<MachineSettings> = { isTask: true, isSite: true, restart: 'never' }
/** A service that starts at its first request, and ends when nobody uses it. */
const onRequest: Partial<MachineSettings> = { isOnRequest: true, endsUnused: true }
const identity = { pid: 100, startTime: 5, marker: 'm', lockLimit: null }

const start: MachineInput = { type: 'start' }
const met: MachineInput = { type: 'dependencies-met', run: 'r1' }
const spawned: MachineInput & { type: 'spawned' } = { type: 'spawned', run: 'r1', identity, at: 1000 }
const healthy: MachineInput = {
  type: 'healthy',
  run: 'r1',
  source: 'tcp',
  message: 'Listening',
  ports: [3000],
  warnings: [],
}
const unhealthy: MachineInput = { type: 'unhealthy', run: 'r1', source: 'http', message: 'status 500', output: null }
const exit = (code: number | null, members = 0): MachineInput => ({
  type: 'exited',
  run: 'r1',
  code,
  signal: code === null ? 'SIGKILL' : null,
  at: 2000,
  members,
})
const emptied: MachineInput = { type: 'emptied', run: 'r1', survivors: [] }
const stop: MachineInput = { type: 'stop' }
const restart: MachineInput = { type: 'restart' }
const retire: MachineInput = { type: 'retire' }
const prepared: MachineInput = { type: 'prepared', run: 'r1', told: { db: 5432 } }
const changed: MachineInput = { type: 'files-changed', files: ['src/a.ts'] }
const wanted: MachineInput = { type: 'wanted' }
const unused: MachineInput = { type: 'unused' }
const due: MachineInput = { type: 'due' }
const sender = { pid: 7, uid: 0, command: 'sender', verdict: 'member' } as const

function walk(inputs: readonly MachineInput[], with_: Partial<MachineSettings> = {}, now = 2000): Step {
  let step: Step = { instance: newInstance, effects: [], event: null }
  for (const input of inputs) step = next(step.instance, input, { ...settings, ...with_ }, now)
  return step
}

describe('next()', () => {
  const table: readonly (readonly [
    string,
    readonly MachineInput[],
    Partial<MachineSettings>,
    string,
    readonly Effect['type'][],
  ])[] = [
    ['an order to start waits for the dependencies', [start], {}, 'waiting', []],
    ['met dependencies spawn it', [start, met], {}, 'starting', ['spawn']],
    ['a spawned process is still starting', [start, met, spawned], {}, 'starting', []],
    ['the first success makes it run', [start, met, spawned, healthy], {}, 'running', []],
    [
      'a failing check before the first success leaves it starting',
      [start, met, spawned, unhealthy],
      {},
      'starting',
      [],
    ],
    ['an exit with code 0 completes it', [start, met, spawned, exit(0), emptied], {}, 'completed', []],
    [
      'an exit with code 0 before it was healthy fails what has to serve',
      [start, met, spawned, exit(0), emptied],
      { hasToServe: true },
      'failed',
      [],
    ],
    [
      'an exit with code 0 completes what has served',
      [start, met, spawned, healthy, exit(0), emptied],
      { hasToServe: true },
      'completed',
      [],
    ],
    [
      'an exit with code 0 is restarted under always',
      [start, met, spawned, exit(0), emptied],
      { restart: 'always' },
      'backoff',
      [],
    ],
    ['a crash is restarted after a while', [start, met, spawned, exit(1), emptied], {}, 'backoff', []],
    [
      'a crash under never fails it',
      [start, met, prepared, spawned, exit(1), emptied],
      { restart: 'never' },
      'failed',
      [],
    ],
    [
      'processes left behind are ended before anything else',
      [start, met, spawned, exit(1, 2)],
      {},
      'stopping',
      ['end'],
    ],
    ['an exit that left nothing waits for that to be certain', [start, met, spawned, exit(1)], {}, 'stopping', []],
    ['a stop ends the process', [start, met, spawned, healthy, stop], {}, 'stopping', ['end']],
    ['a stop is over when nothing is left', [start, met, spawned, healthy, stop, exit(0), emptied], {}, 'stopped', []],
    ['a crash during a stop is not restarted', [start, met, spawned, stop, exit(1), emptied], {}, 'stopped', []],
    ['a stop while waiting needs no process', [start, stop], {}, 'stopped', []],
    ['a stop during a back-off cancels it', [start, met, spawned, exit(1), emptied, stop], {}, 'stopped', []],
    ['a stop while its spawn is under way ends it', [start, met, stop], {}, 'stopping', ['end']],
    [
      'a spawn that was stopped in time is over',
      [start, met, stop, { type: 'refused', run: 'r1', reason: 'stopped' }],
      {},
      'stopped',
      [],
    ],
    [
      'a start during a stop starts it afterwards',
      [start, met, spawned, stop, start, exit(0), emptied],
      {},
      'waiting',
      [],
    ],
    ['a stop during a restart wins', [start, met, spawned, restart, stop, exit(0), emptied], {}, 'stopped', []],
    ['a restart ends it', [start, met, spawned, healthy, restart], {}, 'stopping', ['end']],
    [
      'a restart starts it again when nothing is left',
      [start, met, spawned, healthy, restart, exit(0), emptied],
      {},
      'waiting',
      [],
    ],
    ['a restart of what is stopped starts it', [restart], {}, 'waiting', []],
    ['a retired instance keeps running until its turn', [start, met, spawned, healthy, retire], {}, 'running', []],
    [
      'a retired instance that exits by itself is stopped',
      [start, met, spawned, healthy, retire, exit(1), emptied],
      {},
      'stopped',
      [],
    ],
    ['a retired instance that waits is stopped at once', [start, retire], {}, 'stopped', []],
    [
      'a refused spawn fails it',
      [start, met, { type: 'refused', run: 'r1', reason: 'no such command' }],
      {},
      'failed',
      [],
    ],
    ['a failed dependency fails it', [start, { type: 'dependency-failed', reason: 'db failed' }], {}, 'failed', []],
    [
      'an order retries what failed',
      [start, met, { type: 'refused', run: 'r1', reason: 'no' }, start],
      {},
      'waiting',
      [],
    ],
    ['unhealthy is only shown by default', [start, met, spawned, healthy, unhealthy], {}, 'running', []],
    [
      'unhealthy restarts where asked for',
      [start, met, spawned, healthy, unhealthy],
      { onUnhealthy: 'restart' },
      'stopping',
      ['end'],
    ],
    [
      'unhealthy restarts after a back-off',
      [start, met, spawned, healthy, unhealthy, exit(0), emptied],
      { onUnhealthy: 'restart' },
      'backoff',
      [],
    ],
    [
      'a run that vanished comes back',
      [start, met, spawned, { type: 'lost', run: 'r1', isGone: true }],
      {},
      'waiting',
      [],
    ],
    [
      'a run whose keeper was lost comes back when nothing is left of it',
      [start, met, spawned, healthy, { type: 'lost', run: 'r1', isGone: false }, emptied],
      { restart: 'never' },
      'waiting',
      [],
    ],
    [
      'a run that was being stopped when its keeper was lost stays stopped',
      [start, met, spawned, stop, { type: 'lost', run: 'r1', isGone: false }, emptied],
      {},
      'stopped',
      [],
    ],
    [
      'a run that crashed before its keeper was lost has crashed',
      [start, met, spawned, exit(1), { type: 'lost', run: 'r1', isGone: true }],
      { restart: 'never' },
      'failed',
      [],
    ],
    [
      'facts of another run are passed over',
      [start, met, spawned, healthy, { type: 'exited', run: 'r0', code: 1, signal: null, at: 1, members: 0 }],
      {},
      'running',
      [],
    ],
    ['an order to start with a schedule waits for its moment', [start], periodic, 'scheduled', []],
    ['a scheduled task that is ordered to start again stays scheduled', [start, start], periodic, 'scheduled', []],
    ['a scheduled task that is restarted by name runs at once', [start, restart], periodic, 'waiting', []],
    ['a scheduled task is stopped at once', [start, stop], periodic, 'stopped', []],
    ['a retired scheduled task is stopped at once', [start, retire], periodic, 'stopped', []],
    [
      'a task with a schedule is scheduled again when it succeeded',
      [start, restart, met, spawned, exit(0), emptied],
      periodic,
      'scheduled',
      [],
    ],
    [
      'a task with a schedule is scheduled again when it failed',
      [start, restart, met, spawned, exit(1), emptied],
      periodic,
      'scheduled',
      [],
    ],
    [
      'a task with a schedule is scheduled again when it cannot be spawned',
      [start, restart, met, { type: 'refused', run: 'r1', reason: 'no' }],
      periodic,
      'scheduled',
      [],
    ],
    [
      'a task with a schedule is scheduled again when a dependency failed',
      [start, restart, { type: 'dependency-failed', reason: 'db' }],
      periodic,
      'scheduled',
      [],
    ],
    [
      'a task with a schedule that is stopped while it runs is stopped',
      [start, restart, met, spawned, stop, exit(0), emptied],
      periodic,
      'stopped',
      [],
    ],
    ['a schedule that never comes fails', [start], { ...periodic, schedule: '0 0 30 2 *' }, 'failed', []],
    ['a schedule that was taken out of the configuration holds no more', [start], {}, 'waiting', []],
    ['changed files end what runs', [start, met, spawned, healthy, changed], {}, 'stopping', ['end']],
    [
      'changed files start it again when nothing is left',
      [start, met, spawned, healthy, changed, exit(0), emptied],
      {},
      'waiting',
      [],
    ],
    ['changed files cut a back-off short', [start, met, spawned, exit(1), emptied, changed], {}, 'waiting', []],
    [
      'changed files start what failed',
      [start, met, spawned, exit(1), emptied, changed],
      { restart: 'never' },
      'waiting',
      [],
    ],
    [
      'changed files run a completed task again',
      [start, met, spawned, exit(0), emptied, changed],
      { isTask: true, restart: 'never' },
      'waiting',
      [],
    ],
    ['changed files start nothing that is stopped', [start, stop, changed], {}, 'stopped', []],
    [
      'changed files start nothing whose stop was accepted',
      [start, met, spawned, healthy, retire, changed],
      {},
      'running',
      [],
    ],
    ['changed files leave alone what waits', [start, changed], {}, 'waiting', []],
    ['changed files leave a schedule alone', [start, changed], periodic, 'scheduled', []],
    [
      'changed files during a stop do not start it',
      [start, met, spawned, stop, changed, exit(0), emptied],
      {},
      'stopped',
      [],
    ],
    [
      'changed files during the end of a crash start it afterwards',
      [start, met, spawned, exit(1), changed, emptied],
      {},
      'waiting',
      [],
    ],
    [
      'files that cannot be watched leave it running',
      [start, met, spawned, healthy, { type: 'watch-failed', reason: 'ENOSPC' }],
      {},
      'running',
      [],
    ],
    ['an order to start what is on request leaves it idle', [start], onRequest, 'idle', []],
    ['a request starts what is idle', [start, wanted], onRequest, 'waiting', []],
    ['a request starts nothing that is stopped', [wanted], onRequest, 'stopped', []],
    ['a request starts nothing that was stopped', [start, stop, wanted], onRequest, 'stopped', []],
    [
      'a request starts nothing that has failed',
      [start, wanted, met, spawned, exit(1), emptied, wanted],
      { ...onRequest, restart: 'never' },
      'failed',
      [],
    ],
    [
      'an order to start what has failed on request lets the next request try again',
      [start, wanted, met, spawned, exit(1), emptied, start],
      { ...onRequest, restart: 'never' },
      'idle',
      [],
    ],
    [
      'another order to start leaves what runs on request alone',
      [start, wanted, met, start],
      onRequest,
      'starting',
      [],
    ],
    ['a restart by name starts what is idle', [start, restart], onRequest, 'waiting', []],
    ['a restart by name starts what is on request and stopped', [restart], onRequest, 'waiting', []],
    ['what is idle is stopped at once', [start, stop], onRequest, 'stopped', []],
    ['a retired idle one is stopped at once', [start, retire], onRequest, 'stopped', []],
    ['what nobody uses is ended', [start, wanted, met, spawned, healthy, unused], onRequest, 'stopping', ['end']],
    [
      'what nobody uses is idle once nothing is left of it, whatever its exit',
      [start, wanted, met, spawned, healthy, unused, exit(1), emptied],
      { ...onRequest, restart: 'always' },
      'idle',
      [],
    ],
    ['what is just starting is not unused', [start, wanted, met, spawned, unused], onRequest, 'starting', []],
    [
      'a request for what is about to be idle starts it again',
      [start, wanted, met, spawned, healthy, unused, wanted, exit(0), emptied],
      onRequest,
      'waiting',
      [],
    ],
    [
      'a stop of what is about to be idle wins',
      [start, wanted, met, spawned, healthy, unused, stop, exit(0), emptied],
      onRequest,
      'stopped',
      [],
    ],
    [
      'an order to start what is about to be idle leaves it so',
      [start, wanted, met, spawned, healthy, unused, start, exit(0), emptied],
      onRequest,
      'idle',
      [],
    ],
    [
      'an order to start during a stop brings what is on request to idle',
      [start, wanted, met, spawned, healthy, stop, start, exit(0), emptied],
      onRequest,
      'idle',
      [],
    ],
    [
      'an order to start does not take back a restart',
      [start, wanted, met, spawned, healthy, restart, start, exit(0), emptied],
      onRequest,
      'waiting',
      [],
    ],
    [
      'what was about to be idle when its keeper was lost is idle',
      [start, wanted, met, spawned, healthy, unused, { type: 'lost', run: 'r1', isGone: true }],
      onRequest,
      'idle',
      [],
    ],
    [
      'what has served and ends by itself is idle',
      [start, wanted, met, spawned, healthy, exit(0), emptied],
      onRequest,
      'idle',
      [],
    ],
    [
      'what ends before it has served is not started by every request anew',
      [start, wanted, met, spawned, exit(0), emptied, wanted],
      onRequest,
      'completed',
      [],
    ],
    [
      'a crash is retried by the policy',
      [start, wanted, met, spawned, healthy, exit(1), emptied],
      onRequest,
      'backoff',
      [],
    ],
    [
      'what nobody uses any more stays idle at an order to start',
      [start, met, spawned, healthy, unused, exit(0), emptied, start],
      { endsUnused: true },
      'idle',
      [],
    ],
    [
      'what is idle by another configuration starts when ordered to',
      [start, met, spawned, healthy, unused, exit(0), emptied, start],
      {},
      'waiting',
      [],
    ],
    ['changed files leave alone what is idle', [start, changed], onRequest, 'idle', []],
    [
      'a task that succeeds is completed',
      [start, met, spawned, exit(0), emptied],
      { isTask: true, restart: 'never' },
      'completed',
      [],
    ],
  ]
  test.each(table)('%s', (_name, inputs, with_, state, effects) => {
    const step = walk(inputs, with_)
    expect(step.instance.state.id).toBe(state)
    expect(step.effects.map((effect) => effect.type)).toEqual(effects)
  })

  test('being told the same as last time is nothing new', () => {
    const { instance } = walk([start, met, prepared])
    expect(next(instance, prepared, settings, 3000).instance).toBe(instance)
    const other = next(instance, { type: 'prepared', run: 'r1', told: { db: 5433 } }, settings, 3000)
    expect(other.instance.memory.told).toEqual({ db: 5433 })
  })

  test('a start that takes too long is overdue, and still becomes healthy later', () => {
    const { instance } = walk([start, met, spawned])
    expect(dueAt(instance.state)).toBe(61_000)
    expect(next(instance, { type: 'due' }, settings, 60_999).instance).toBe(instance)
    const overdue = next(instance, { type: 'due' }, settings, 61_000)
    expect(overdue.instance.state).toMatchObject({ id: 'starting', overdue: true })
    expect(overdue.event).toBe('service.unhealthy')
    expect(next(overdue.instance, healthy, settings, 70_000).instance.state.id).toBe('running')
  })

  test('what waiting will not mend is overdue after a second, unless it mends itself', () => {
    const { instance } = walk([start, met, spawned, unhealthy], {}, 2000)
    expect(dueAt(instance.state)).toBe(3000)
    expect(next(instance, due, settings, 3000).instance.state).toMatchObject({ id: 'starting', overdue: true })
    const checked = next(instance, { ...unhealthy, type: 'checked' }, settings, 2500)
    expect(dueAt(checked.instance.state)).toBe(61_000)
  })

  test('a schedule: the next moment, the run, and the moment after that; never two at once', () => {
    const set = { ...settings, ...periodic, startTimeoutMs: null }
    const minute = 60_000
    let { instance } = next(newInstance, start, set, 3 * minute)
    expect(dueAt(instance.state)).toBe(10 * minute)
    expect(next(instance, due, set, 9 * minute).instance).toBe(instance)
    instance = next(instance, due, set, 10 * minute).instance
    expect(instance.state.id).toBe('waiting')
    instance = next(instance, met, set, 10 * minute).instance
    instance = next(instance, { ...spawned, at: 10 * minute }, set, 10 * minute).instance
    // It takes longer than its period: the moment that passes meanwhile is left out.
    expect(dueAt(instance.state)).toBeNull()
    instance = next(instance, exit(1), set, 25 * minute).instance
    const ended = next(instance, emptied, set, 25 * minute)
    expect(ended.event).toBe('service.failed')
    expect(ended.instance.state).toEqual({ id: 'scheduled', at: 30 * minute, failure: 'exited with code 1' })
  })

  test('a moment of a schedule that was missed is not made up for', () => {
    const set = { ...settings, ...periodic }
    const { instance } = next(newInstance, start, set, 0)
    const hour = 3_600_000
    const late = next(instance, due, set, hour + 1)
    expect(late.effects).toEqual([])
    expect(late.instance.state).toEqual({ id: 'scheduled', at: hour + 600_000, failure: null })
    // While a daemon is replaced nothing is missed.
    expect(next(instance, due, set, 600_000 + 5000).instance.state.id).toBe('waiting')
  })

  test('changed files are no crash, and make those before them forgotten', () => {
    const { instance } = walk(
      [start, met, spawned, exit(1), emptied, due, met, spawned, healthy, changed, exit(1), emptied],
      {},
      2000,
    )
    expect(instance.memory.crashes).toEqual([])
    expect(instance.memory.restarts).toBe(0)
    expect(instance.memory.watch.restarts).toHaveLength(1)
  })

  test('a service that writes what it watches is cut off, said so, and watched again after an order', () => {
    let instance = next(newInstance, start, settings, 0).instance
    let now = 0
    for (let round = 1; round <= 4; round++) {
      for (const input of [met, { ...spawned, at: now }, healthy])
        instance = next(instance, input, settings, now).instance
      now += 700
      for (const input of [changed, exit(0), emptied]) instance = next(instance, input, settings, now).instance
      expect(instance.state.id).toBe('waiting')
    }
    for (const input of [met, { ...spawned, at: now }, healthy])
      instance = next(instance, input, settings, now).instance
    const cut = next(instance, changed, settings, now + 700)
    expect(cut.instance.state.id).toBe('running')
    expect(cut.instance.memory.watch.suspended).toContain('"src/a.ts"')
    expect(isFileWatched(cut.instance)).toBe(false)
    expect(isFileWatched(next(cut.instance, restart, settings, now + 800).instance)).toBe(true)
  })

  test('a person who saves one file again and again is no loop', () => {
    let instance = next(newInstance, start, settings, 0).instance
    let now = 0
    for (const pause of [1800, 4200, 2900, 9000, 3600, 1500, 5200]) {
      for (const input of [met, { ...spawned, at: now }, healthy])
        instance = next(instance, input, settings, now).instance
      now += pause
      for (const input of [changed, exit(0), emptied]) instance = next(instance, input, settings, now).instance
    }
    expect(instance.memory.watch.suspended).toBeNull()
  })

  test('a port that was found is remembered for as long as the definition is the same', () => {
    const found = walk([start, met, spawned, healthy, stop, exit(0), emptied, start, met]).instance.memory
    expect(found.ports).toEqual([])
    expect(found.found).toEqual({ port: 3000, hash: 'h' })
    const { instance } = walk([start, met, spawned, healthy, stop, exit(0), emptied, start])
    expect(next(instance, met, { ...settings, hash: 'other' }, 3000).instance.memory.found).toBeNull()
  })

  test('back-offs double, and the fifth crash within a minute is the last', () => {
    let instance = newInstance
    let now = 0
    const waits: number[] = []
    instance = next(instance, start, settings, now).instance
    for (let crash = 1; crash <= crashLimit; crash++) {
      instance = next(instance, met, settings, now).instance
      instance = next(instance, { ...spawned, at: now }, settings, now).instance
      instance = next(instance, exit(1), settings, now).instance
      instance = next(instance, emptied, settings, now).instance
      const due = dueAt(instance.state)
      if (due === null) break
      waits.push(due - now)
      now = due
      instance = next(instance, { type: 'due' }, settings, now).instance
    }
    expect(waits).toEqual([250, 500, 1000, 2000])
    expect(instance.state).toMatchObject({ id: 'failed', reason: expect.stringContaining('given up after 5 crashes') })
    expect(instance.memory.restarts).toBe(4)
    expect(next(instance, start, settings, now).instance.memory).toMatchObject({ restarts: 0, crashes: [] })
  })

  test('crashes that lie far apart never add up', () => {
    let instance = next(newInstance, start, settings, 0).instance
    for (let now = 0; now < 3_600_000; now += 61_000) {
      for (const input of [met, spawned, exit(1), emptied]) instance = next(instance, input, settings, now).instance
      expect(instance.state.id).toBe('backoff')
      instance = next(instance, { type: 'due' }, settings, now + 250).instance
    }
  })

  test('readiness is counted from the start of the run', () => {
    const { instance } = walk([start, met, spawned, healthy], {}, 1212)
    expect(instance.memory.readyAfterMs).toBe(212)
  })

  test('the signal and the SIGKILL after it are named in the exit', () => {
    const { instance } = walk([start, met, spawned, stop, { type: 'killed', run: 'r1' }, exit(null), emptied])
    expect(instance.memory.exit).toMatchObject({
      code: null,
      signal: 'SIGKILL',
      reason: expect.stringContaining('did not stop in time'),
    })
  })
})

/** A keeper and a world that answer every effect, in an order that is up to fate. */
const arbitraryInput = constantFrom<MachineInput['type']>(
  'start',
  'dependencies-met',
  'dependency-failed',
  'spawned',
  'refused',
  'healthy',
  'unhealthy',
  'exited',
  'killed',
  'served',
  'emptied',
  'lost',
  'retire',
  'stop',
  'restart',
  'prepared',
  'files-changed',
  'watch-failed',
  'notified',
  'notify-refused',
  'watchdog',
  'survivors',
  'input',
  'wanted',
  'unused',
  'due',
)

const sampleFields = [{ READY: '1' }, { STOPPING: '1' }, { RELOADING: '1' }, { EXTEND_TIMEOUT_USEC: '5000000' }]

function inputFor(type: MachineInput['type'], instance: Instance, count: number): MachineInput {
  const run = runOf(instance)?.id ?? 'none'
  switch (type) {
    case 'dependencies-met':
      return { type, run: `r${count}` }
    case 'dependency-failed':
      return { type, reason: 'x' }
    case 'spawned':
      return { type, run, identity, at: count }
    case 'refused':
      return { type, run, reason: 'x' }
    case 'healthy':
      return { ...healthy, run } as MachineInput
    case 'unhealthy':
    case 'checked':
      return { type, run, source: 'tcp', message: 'x', output: null }
    case 'exited':
      return { type, run, code: count % 2, signal: null, at: count, members: count % 3 }
    case 'emptied':
      return { type, run, survivors: [] }
    case 'killed':
    case 'served':
      return { type, run }
    case 'lost':
      return { type, run, isGone: count % 2 === 0 }
    case 'prepared':
      return { type, run, told: { db: count } }
    case 'preparing':
      return { type, run, message: `Pulling ${count}` }
    case 'files-changed':
      return { type, files: [`f${count % 2}`] }
    case 'watch-failed':
      return { type, reason: 'x' }
    case 'notified':
      return { type, run, fields: sampleFields[count % sampleFields.length] ?? {}, sender, at: count }
    case 'notify-refused':
      return { type, run, reason: 'outside', fields: { READY: '1' }, sender, count: 1, at: count }
    case 'watchdog':
      return { type, run, is: count % 2 === 0 ? 'missed' : 'resumed', periodMs: 5000 }
    case 'survivors':
      return { type, survivors: [] }
    case 'input':
      return { type, run, isWanted: count % 2 === 0 }
    default:
      return { type }
  }
}

describe.each([
  ['a service', settings],
  ['a periodic task', { ...settings, ...periodic }],
  ['a service on request', { ...settings, ...onRequest }],
  ['a site', { ...settings, ...site }],
] as const)('next(), from any state of %s', (_name, settings) => {
  const anywhere = array(arbitraryInput, { maxLength: 40 }).map((types) => {
    let instance = newInstance
    types.forEach((type, count) => {
      instance = next(instance, inputFor(type, instance, count), settings, count * 100).instance
    })
    return instance
  })

  test('a stop ends in stopped once the tree is empty', () => {
    assert(
      property(anywhere, (instance) => {
        const stopped = next(instance, stop, settings, 10_000)
        const run = runOf(stopped.instance)
        if (run === null) {
          expect(stopped.instance.state.id).toBe('stopped')
          return
        }
        expect(stopped.effects).toEqual([{ type: 'end', run }])
        const gone = next(stopped.instance, { type: 'emptied', run: run.id, survivors: [] }, settings, 10_001)
        expect(gone.instance.state.id).toBe('stopped')
      }),
    )
  })

  test('a start is followed by a spawn as soon as its dependencies are met', () => {
    assert(
      property(anywhere, (instance) => {
        let at = next(instance, start, settings, 10_000).instance
        const run = runOf(at)
        if (at.state.id === 'stopping' && run !== null)
          at = next(at, { type: 'emptied', run: run.id, survivors: [] }, settings, 10_001).instance
        // Its moment has come, in time.
        if (at.state.id === 'scheduled') at = next(at, { type: 'due' }, settings, at.state.at).instance
        if (at.state.id === 'idle') at = next(at, wanted, settings, 10_001).instance
        if (at.state.id !== 'waiting') {
          expect(['starting', 'running', 'serving']).toContain(at.state.id)
          return
        }
        expect(next(at, { type: 'dependencies-met', run: 'new' }, settings, 10_002).effects[0]?.type).toBe('spawn')
      }),
    )
  })

  test('a new run never begins while an old one may have processes', () => {
    assert(
      property(anywhere, arbitraryInput, (instance, type) => {
        const step = next(instance, inputFor(type, instance, 7), settings, 10_000)
        if (step.effects.some((effect) => effect.type === 'spawn')) expect(runOf(instance)).toBeNull()
      }),
    )
  })

  test('a request starts nothing but what is idle, and ends nothing', () => {
    assert(
      property(anywhere, (instance) => {
        const after = next(instance, wanted, settings, 10_000)
        expect(after.effects).toEqual([])
        if (instance.state.id === 'idle') expect(after.instance.state.id).toBe('waiting')
        else expect(after.instance.state.id).toBe(instance.state.id)
      }),
    )
  })

  test('what nobody uses is started again by the next request', () => {
    assert(
      property(anywhere, (instance) => {
        const { state } = next(instance, unused, settings, 10_000).instance
        if (instance.state.id !== 'running' || !instance.memory.wanted) {
          expect(state).toEqual(instance.state)
          return
        }
        const run = runOf(instance)?.id ?? ''
        const idle = [unused, { type: 'emptied', run, survivors: [] } as const, wanted]
        const after = idle.reduce((known, input) => next(known, input, settings, 10_000).instance, instance)
        expect(after.state.id).toBe('waiting')
      }),
    )
  })

  test('whoever waits for a moment has one', () => {
    assert(
      property(anywhere, ({ state }) => {
        if (state.id === 'scheduled' || state.id === 'backoff') expect(dueAt(state)).not.toBeNull()
      }),
    )
  })

  test('a state survives JSON', () => {
    assert(
      property(anywhere, (instance) => {
        expect(JSON.parse(JSON.stringify(instance))).toEqual(instance)
      }),
    )
  })
})

test('what could not be started has no exit, whatever an earlier run ended with', () => {
  const failed = [
    start,
    met,
    spawned,
    exit(7),
    { type: 'emptied', run: 'r1', survivors: [] } as const,
    start,
    met,
  ].reduce((instance, input) => next(instance, input, { ...settings, restart: 'never' }, 1000).instance, newInstance)
  expect(failed.memory.exit).toMatchObject({ code: 7 })
  const refused = next(failed, { type: 'refused', run: 'r1', reason: 'no such command' }, settings, 1000).instance
  expect(refused.state.id).toBe('failed')
  expect(refused.memory.exit).toBe(null)
})

test('a site is served once it is built, or at once when nothing has to be, until it is stopped', () => {
  const settled = { ...settings, ...site }
  const after = (...inputs: readonly MachineInput[]): Instance =>
    inputs.reduce((instance, input) => next(instance, input, settled, 1000).instance, newInstance)
  const asIs = after(start, met, { type: 'served', run: 'r1' })
  const exited: MachineInput = { type: 'exited', run: 'r1', code: 0, signal: null, at: 1200, members: 0 }
  const built = after(start, met, spawned, exited, { type: 'emptied', run: 'r1', survivors: [] })
  for (const instance of [asIs, built]) {
    expect(instance.state).toEqual({ id: 'serving' })
    expect(next(instance, start, settled, 2000).instance.state.id).toBe('serving')
    expect(next(instance, { type: 'restart' }, settled, 2000).instance.state.id).toBe('waiting')
    expect(next(instance, { type: 'retire' }, settled, 2000).instance.state.id).toBe('stopped')
  }
  const failed = after(start, met, spawned, { ...exited, code: 2 }, { type: 'emptied', run: 'r1', survivors: [] })
  expect(failed.state).toMatchObject({ id: 'failed' })
})
