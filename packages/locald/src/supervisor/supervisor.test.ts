import { beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../plan/plan.ts'
import { addressesOf } from '../plan/addresses.ts'
import { SupervisorWorld } from './testing/supervisor-world.ts'
import type { Adoption } from './take-over.ts'

let world: SupervisorWorld

beforeEach(() => {
  world = new SupervisorWorld()
})

const chain = { web: { dependsOn: ['api'] }, api: { dependsOn: ['db'] }, db: {} }
const task = { type: 'task', restart: 'never', startTimeoutMs: null, listening: 'never' } as const

describe('up()', () => {
  test('starts each service when what it needs is healthy', async () => {
    await world.up(world.plan(chain))
    expect(world.news()).toEqual(['spawn db.1'])
    await world.healthy('db')
    expect(world.news()).toEqual(['spawn api.1'])
    await world.healthy('api')
    await world.healthy('web')
    expect(world.outcomes()).toEqual(['up done'])
  })

  test('starts at a mere start where that is enough', async () => {
    await world.up(world.plan({ web: { dependsOn: [{ service: 'db', condition: 'started' }] }, db: {} }))
    expect(world.news()).toEqual(['spawn db.1', 'spawn web.1'])
  })

  test('waits for the exit of a task, and for its success', async () => {
    await world.up(world.plan({ web: { dependsOn: ['migrate'] }, migrate: task }))
    expect(world.news()).toEqual(['spawn migrate.1'])
    await world.exits('migrate', 0)
    expect(world.news()).toEqual(['spawn web.1'])
  })

  test('a task that fails fails what depends on it, at once', async () => {
    await world.up(world.plan({ web: { dependsOn: ['api'] }, api: { dependsOn: ['migrate'] }, migrate: task }))
    await world.exits('migrate', 3)
    expect(world.states()).toEqual({ 'web.1': 'failed', 'api.1': 'failed', 'migrate.1': 'failed' })
    expect(world.outcomes()).toEqual(['up failed'])
  })

  const timing = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 }
  const checked = { healthCheck: { type: 'command', command: 'true', ...timing } } as const

  test.each([
    ['has a check', { type: 'exec', listening: 'may', ...checked }],
    ['is a worker with a check', { type: 'worker', listening: 'never', ...checked }],
    ['must listen', { type: 'exec', listening: 'must' }],
  ] as const)('an exit with 0 before it was healthy is a failure of what %s', async (_name, sketch) => {
    await world.up(world.plan({ web: { dependsOn: ['api'] }, api: sketch }))
    await world.exits('api', 0)
    expect(world.states()).toEqual({ 'web.1': 'failed', 'api.1': 'failed' })
    const ended = world.events.find((e) => e.type === 'order.ended')
    expect(ended).toMatchObject({
      outcome: 'failed',
      problems: expect.arrayContaining(['api: exited with code 0 before it was healthy']),
    })
  })

  test('an exit with 0 releases what depends on a worker without a check, or waits for that exit', async () => {
    const worker = { type: 'worker', listening: 'never' } as const
    const build = { type: 'exec', listening: 'must', ...checked } as const
    const dependsOn = ['worker', { service: 'build', condition: 'completed' }] as const
    await world.up(world.plan({ web: { dependsOn }, worker, build }))
    await world.exits('worker', 0)
    await world.exits('build', 0)
    expect(world.states()).toEqual({ 'web.1': 'starting', 'worker.1': 'completed', 'build.1': 'completed' })
  })

  test('an exit with 0 before it was healthy does not release who waits for health, whatever others wait for', async () => {
    const build = { type: 'exec', listening: 'may', ...checked } as const
    const after = { dependsOn: [{ service: 'build', condition: 'completed' }] } as const
    await world.up(world.plan({ web: { dependsOn: ['build'] }, after, build }))
    await world.exits('build', 0)
    expect(world.states()).toEqual({ 'web.1': 'failed', 'after.1': 'starting', 'build.1': 'completed' })
  })

  test('waits for every replica', async () => {
    await world.up(world.plan({ web: { dependsOn: ['db'] }, db: { replicas: 2 } }))
    await world.healthy('db.1')
    expect(world.news()).toEqual(['spawn db.1', 'spawn db.2'])
    await world.healthy('db.2')
    expect(world.news()).toEqual(['spawn web.1'])
  })

  test('starts one replica alone, and a completed task again only for that one', async () => {
    const plan = world.plan({ web: { replicas: 2, dependsOn: ['setup'] }, setup: { type: 'task' } })
    const one = { keys: ['setup.1', 'web.2'] }
    await world.up(plan, one)
    expect(world.news()).toEqual(['spawn setup.1'])
    await world.exits('setup', 0)
    expect(world.news()).toContain('spawn web.2')
    expect(world.states()).toEqual({ 'setup.1': 'completed', 'web.1': 'stopped', 'web.2': 'starting' })
    await world.healthy('web.2')
    world.news()
    await world.up(plan, { ...one, order: 'again' })
    expect(world.news()).not.toContain('spawn setup.1')
    expect(world.states()).toEqual({ 'setup.1': 'completed', 'web.1': 'stopped', 'web.2': 'running' })
  })

  test('changes nothing of a project that is up', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    world.news()
    await world.up(plan, { order: 'again' })
    expect(world.news()).toEqual([])
    expect(world.outcomes()).toEqual(['up done', 'up done'])
  })

  test('restarts only what changed, however long ago the change was planned', async () => {
    const before = world.plan({ web: { command: 'old' }, worker: { command: 'old' } })
    await world.up(before)
    await world.healthy('web', 'worker')
    const after = world.plan({ web: { command: 'old' }, worker: { command: 'new' } })
    await world.up(after, { services: ['web'], order: 'web-only' })
    expect(world.news()).toEqual(['spawn web.1', 'spawn worker.1'])
    await world.up(after, { order: 'all' })
    expect(world.news()).toEqual(['end worker.1 SIGTERM'])
    await world.exits('worker', null)
    expect(world.news()).toEqual(['spawn worker.1'])
  })

  test('does not restart for other health, stop or restart settings', async () => {
    await world.up(world.plan({ web: {} }))
    await world.healthy('web')
    world.news()
    const timing = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 }
    const healthCheck = { type: 'command', command: 'true', ...timing } as const
    await world.up(world.plan({ web: { healthCheck, restart: 'never', stopTimeoutMs: 1 } }), { order: 'second' })
    expect(world.news()).toEqual([])
  })

  test.each([
    ['its own time', 1500],
    ['for ever', null],
  ])('a service has %s to stop', async (_how, stopTimeoutMs) => {
    const plan = world.plan({ web: { stopTimeoutMs } })
    await world.up(plan)
    await world.healthy('web')
    await world.stop(plan)
    expect(world.ends).toMatchObject([{ signal: 'SIGTERM', timeoutMs: stopTimeoutMs }])
  })

  test('stops and forgets what is no longer configured', async () => {
    await world.up(world.plan({ web: {}, old: {} }))
    await world.healthy('web', 'old')
    world.news()
    await world.up(world.plan({ web: {} }), { order: 'second' })
    expect(world.news()).toEqual(['end old.1 SIGTERM'])
    expect(world.outcomes(), 'it is not over while the old one runs').toEqual(['up done'])
    await world.exits('old', null)
    expect(world.outcomes()).toEqual(['up done', 'up done'])
    expect(world.states()).toEqual({ 'web.1': 'running' })
    expect(world.events.map((e) => e.type)).toContain('service.removed')
  })

  test('retries what failed', async () => {
    const plan = world.plan({ web: { restart: 'never' } })
    await world.up(plan)
    await world.exits('web', 1)
    expect(world.outcomes()).toEqual(['up failed'])
    await world.up(plan, { order: 'second' })
    expect(world.news()).toEqual(['spawn web.1', 'spawn web.1'])
  })

  test('runs a task again only when something that needs it is about to start', async () => {
    const plan = world.plan({ web: { dependsOn: ['migrate'] }, other: {}, migrate: task })
    await world.up(plan)
    await world.exits('migrate')
    await world.healthy('web', 'other')
    world.news()
    await world.stop(plan, ['other.1'])
    await world.exits('other', null)
    world.news()
    await world.up(plan, { order: 'second' })
    expect(world.news(), 'nothing that needs it was down').toEqual(['spawn other.1'])
    await world.stop(plan, ['web.1'])
    await world.exits('web', null)
    world.news()
    await world.up(plan, { order: 'third' })
    expect(world.news()).toEqual(['spawn migrate.1'])
  })

  test('fails when something is not healthy in time, and names what the others wait for', async () => {
    await world.up(world.plan(chain))
    await world.pass(60_000)
    const ended = world.events.find((e) => e.type === 'order.ended')
    expect(ended).toMatchObject({ outcome: 'failed' })
    expect(ended).toMatchObject({ problems: expect.arrayContaining([expect.stringMatching(/^web: waiting for db/)]) })
    expect(world.states()).toMatchObject({ 'db.1': 'starting', 'api.1': 'waiting' })
    await world.healthy('db')
    expect(world.states(), 'late is better than never').toMatchObject({ 'db.1': 'running', 'api.1': 'starting' })
  })

  test('ends with timeout when its own time is up', async () => {
    await world.up(world.plan({ web: {} }), { timeoutMs: 5000 })
    await world.pass(4999)
    expect(world.outcomes()).toEqual([])
    await world.pass(1)
    expect(world.outcomes()).toEqual(['up timeout'])
  })

  test('tells what has failed by then from what is only late', async () => {
    await world.up(world.plan({ job: task, web: {} }), { timeoutMs: 5000 })
    await world.exits('job', 3)
    expect(world.states()).toMatchObject({ 'job.1': 'failed', 'web.1': 'starting' })
    await world.pass(5000)
    expect(world.events.find((e) => e.type === 'order.ended')).toMatchObject({
      outcome: 'timeout',
      problems: ['job: exited with code 3', 'web: not healthy in time'],
    })
  })

  test('goes on through crashes until it is healthy', async () => {
    await world.up(world.plan({ web: {} }))
    await world.exits('web', 1)
    expect(world.states()).toEqual({ 'web.1': 'backoff' })
    await world.pass(250)
    await world.healthy('web')
    expect(world.outcomes()).toEqual(['up done'])
  })
})

describe('stop()', () => {
  test('ends dependents before what they depend on', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    world.news()
    await world.stop(plan)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.exits('web', null)
    expect(world.news()).toEqual(['end api.1 SIGTERM'])
    await world.exits('api', null)
    expect(world.news()).toEqual(['end db.1 SIGTERM'])
    expect(world.outcomes()).toEqual(['up done'])
    await world.exits('db', null)
    expect(world.outcomes()).toEqual(['up done', 'stop done'])
  })

  test('of one service leaves its dependents alone', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    world.news()
    await world.stop(plan, ['db.1'])
    expect(world.news()).toEqual(['end db.1 SIGTERM'])
  })

  test('lets nothing start any more, not even what was about to', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    world.news()
    await world.stop(plan)
    await world.exits('db', null)
    expect(world.news()).toEqual(['end db.1 SIGTERM'])
    expect(world.states()).toEqual({ 'web.1': 'stopped', 'api.1': 'stopped', 'db.1': 'stopped' })
    expect(world.outcomes()).toEqual(['up superseded', 'stop done'])
  })

  test('does not restart what crashes while it waits for its turn', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    await world.stop(plan)
    await world.exits('db', 1)
    await world.pass(10_000)
    expect(world.states()).toMatchObject({ 'db.1': 'stopped' })
  })

  test('starts nothing that was in back-off, however long one waits, nor a daemon later', async () => {
    const plan = world.plan({ web: {} })
    await world.up(plan)
    await world.exits('web', 1)
    expect(world.states()).toEqual({ 'web.1': 'backoff' })
    await world.stop(plan)
    expect(world.states()).toEqual({ 'web.1': 'stopped' })
    expect(world.outcomes()).toEqual(['up superseded', 'stop done'])
    world.news()
    await world.pass(600_000)
    await world.replaceDaemon()
    await world.pass(600_000)
    expect(world.news()).toEqual([])
  })

  test('starts nothing that waited for a dependency, also when that becomes healthy on its way down', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    world.news()
    await world.stop(plan, ['api.1', 'web.1'])
    await world.healthy('db')
    await world.pass(600_000)
    expect(world.news()).toEqual([])
    expect(world.states()).toEqual({ 'web.1': 'stopped', 'api.1': 'stopped', 'db.1': 'running' })
  })

  test('starts nothing that is between two runs of a restart', async () => {
    const plan = world.plan({ web: {} })
    await world.up(plan)
    await world.healthy('web')
    await world.restart(plan)
    world.news()
    await world.stop(plan)
    await world.exits('web', null)
    await world.pass(600_000)
    expect(world.news().filter((line) => line.startsWith('spawn'))).toEqual([])
    expect(world.states()).toEqual({ 'web.1': 'stopped' })
    expect(world.outcomes()).toEqual(['up done', 'restart superseded', 'stop done'])
  })

  test('fails when somebody still listens where a service did, and names them', async () => {
    const plan = world.plan({ web: {} })
    await world.up(plan)
    await world.listens('web', 3000)
    world.listeners.set(3000, 'pid 77 (left-over)')
    await world.stop(plan)
    expect(world.outcomes(), 'its processes first').toEqual(['up done'])
    await world.exits('web', null)
    expect(world.events.at(-1)).toMatchObject({
      type: 'order.ended',
      outcome: 'failed',
      problems: ['web: pid 77 (left-over) listens on port 3000'],
    })
  })

  test("names who holds a service's port that it never had, without failing", async () => {
    const plan = world.plan({ web: { port: 3000, listening: 'must' }, idle: { port: 3001, listening: 'must' } })
    await world.up(plan, { services: ['web'] })
    world.listeners.set(3000, 'pid 77 (stranger)').set(3001, 'pid 78 (stranger)')
    await world.stop(plan)
    await world.exits('web', null)
    expect(world.events.at(-1)).toMatchObject({
      type: 'order.ended',
      outcome: 'done',
      problems: ['web: pid 77 (stranger) listens on port 3000'],
    })
  })

  test('with now kills everything at once', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    world.news()
    await world.stop(plan, undefined, true)
    expect(world.news().filter((line) => line.includes('SIGKILL'))).toEqual([
      'end db.1 SIGKILL',
      'end api.1 SIGKILL',
      'end web.1 SIGKILL',
    ])
  })
})

describe('restart()', () => {
  test('of everything stops in reverse and starts in order', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    world.news()
    await world.restart(plan)
    for (const name of ['web', 'api', 'db']) await world.exits(name, null)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    expect(world.news()).toEqual([
      'end web.1 SIGTERM',
      'end api.1 SIGTERM',
      'end db.1 SIGTERM',
      'spawn db.1',
      'spawn api.1',
      'spawn web.1',
    ])
    expect(world.outcomes()).toEqual(['up done', 'restart done'])
  })

  test('of a dependency does not disturb its dependents, unless they asked for it', async () => {
    const plan = world.plan({
      web: { dependsOn: ['db'] },
      api: { dependsOn: [{ service: 'db', restartWith: true }] },
      db: {},
    })
    await world.up(plan)
    await world.healthy('db')
    await world.healthy('web', 'api')
    world.news()
    await world.restart(plan, ['db.1'])
    expect(world.news()).toEqual(['end db.1 SIGTERM', 'end api.1 SIGTERM'])
    await world.exits('db', null)
    await world.exits('api', null)
    await world.healthy('db')
    expect(world.news()).toEqual(['spawn db.1', 'spawn api.1'])
  })

  test('is carried out also when an up comes while some wait for their turn', async () => {
    const plan = world.plan({
      web: { dependsOn: ['db'] },
      api: { dependsOn: [{ service: 'db', restartWith: true }] },
      db: {},
    })
    await world.up(plan)
    await world.healthy('db')
    await world.healthy('web', 'api')
    world.news()
    await world.restart(plan, ['web.1', 'db.1'])
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.up(plan, { order: 'up-meanwhile' })
    await world.exits('web', null)
    expect(world.news()).toEqual(['end db.1 SIGTERM', 'end api.1 SIGTERM'])
    expect(world.outcomes()).toEqual(['up done'])
    await world.exits('db', null)
    await world.exits('api', null)
    await world.healthy('db')
    await world.healthy('web', 'api')
    expect(world.news()).toEqual(['spawn db.1', 'spawn web.1', 'spawn api.1'])
    expect(world.outcomes()).toEqual(['up done', 'restart done', 'up done'])
  })

  test('takes the new definition of the services it names, and leaves the others for the next up', async () => {
    await world.up(world.plan({ web: { command: 'old' }, api: { command: 'old' } }))
    await world.healthy('web', 'api')
    world.news()
    const edited = world.plan({ web: { command: 'new' }, api: { command: 'new' } })
    await world.restart(edited, ['web.1'])
    await world.exits('web', null)
    await world.healthy('web')
    expect(world.news()).toEqual(['end web.1 SIGTERM', 'spawn web.1'])
    await world.up(edited, { order: 'later' })
    expect(world.news()).toEqual(['end api.1 SIGTERM'])
  })
})

describe('requests under way', () => {
  const web = { web: { listening: 'must' } } as const

  beforeEach(async () => {
    await world.up(world.plan(web))
    await world.healthy('web')
    world.isBusy = true
    world.news()
  })

  test('are answered before a restart ends what answers them', async () => {
    await world.restart(world.plan(web))
    expect(world.news()).toEqual(['drain web.1'])
    expect(world.states()).toEqual({ 'web.1': 'stopping' })
    await world.answered()
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.exits('web')
    expect(world.news()).toEqual(['spawn web.1'])
  })

  test('are answered before changed files and a failing check end it', async () => {
    const watching = world.plan({ web: { listening: 'must', watch: ['src/**'] } })
    await world.restart(watching)
    await world.answered()
    await world.exits('web')
    await world.healthy('web')
    world.news()
    await world.filesChange('web', 'src/a.ts')
    expect(world.news()).toEqual(['drain web.1'])
  })

  test('are not waited for by a stop, nor by one that comes while they are', async () => {
    await world.restart(world.plan(web))
    await world.stop(world.plan(web))
    expect(world.news()).toEqual(['drain web.1', 'end web.1 SIGTERM'])
    await world.answered()
    expect(world.news()).toEqual([])
    await world.exits('web')
    expect(world.states()).toEqual({ 'web.1': 'stopped' })
  })

  test('are not waited for with now', async () => {
    await world.stop(world.plan(web), ['web.1'], true)
    expect(world.news()).toContain('end web.1 SIGKILL')
  })

  test('are waited for once, however often a restart is asked for', async () => {
    await world.restart(world.plan(web))
    await world.restart(world.plan(web))
    await world.answered()
    expect(world.news()).toEqual(['drain web.1', 'end web.1 SIGTERM'])
  })

  test('of one that exits by itself: what it leaves behind is ended all the same', async () => {
    await world.restart(world.plan(web))
    await world.leaderExits('web')
    await world.answered()
    expect(world.news()).toEqual(['drain web.1', 'end web.1 SIGTERM'])
  })

  test('are not waited for again by the next daemon', async () => {
    await world.restart(world.plan(web))
    world.news()
    await world.replaceDaemon()
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.exits('web')
    expect(world.news()).toEqual(['spawn web.1'])
  })
})

describe('on request', () => {
  const services = {
    web: { start: 'on-request', dependsOn: ['api', 'db'], idleTimeoutMs: 60_000 },
    api: { start: 'on-request', dependsOn: ['db'], idleTimeoutMs: 20_000 },
    db: {},
  } as const
  const idle = { 'web.1': 'idle', 'api.1': 'idle', 'db.1': 'running' }

  async function bringUp(): Promise<void> {
    await world.up(world.plan(services))
    await world.healthy('db')
    world.supervisor.countRequests()
    world.news()
  }

  async function request(open: number): Promise<void> {
    world.supervisor.activity('a1b2c3', 'web', { open, lastAt: world.now })
    await world.settle()
  }

  /** Asked for, with all that it needs, and healthy. */
  async function serve(): Promise<void> {
    await bringUp()
    await world.requested(world.plan(services), 'web')
    await world.healthy('api')
    await world.healthy('web')
    world.news()
  }

  test('an up is done while nothing of it runs', async () => {
    await bringUp()
    expect(world.outcomes()).toEqual(['up done'])
    expect(world.states()).toEqual(idle)
    expect(world.supervisor.isBusy).toBe(true)
  })

  test('a request starts it after what it depends on, and a second changes nothing', async () => {
    await bringUp()
    await world.requested(world.plan(services), 'web')
    expect(world.news()).toEqual(['spawn api.1'])
    await world.requested(world.plan(services), 'web')
    await world.healthy('api')
    expect(world.news()).toEqual(['spawn web.1'])
  })

  test('an up that names it starts it, and so does a restart', async () => {
    await world.up(world.plan(services), { named: ['api'] })
    await world.healthy('db')
    expect(world.states()).toEqual({ 'web.1': 'idle', 'api.1': 'starting', 'db.1': 'running' })
    await world.healthy('api')
    await world.restart(world.plan(services), ['web.1'])
    expect(world.states()).toMatchObject({ 'web.1': 'starting' })
  })

  test('a request for what is stopped, or not there, starts nothing', async () => {
    await bringUp()
    await world.stop(world.plan(services), ['web.1'])
    await world.requested(world.plan(services), 'web')
    world.supervisor.requested('nobody', 'web')
    world.supervisor.requested('a1b2c3', 'nobody')
    expect(world.news()).toEqual([])
  })

  test('a service that is needed at the start is started with what needs it', async () => {
    const needing = { web: { dependsOn: ['api'] }, api: { start: 'on-request' } } as const
    await world.up(world.plan(needing))
    expect(world.news()).toEqual(['spawn api.1'])
    await world.healthy('api')
    await world.healthy('web')
    expect(world.outcomes()).toEqual(['up done'])
  })

  test('it ends when nobody has used it for its time, and what only it used after that', async () => {
    await serve()
    await world.pass(59_999)
    expect(world.news(), 'api is used by web').toEqual([])
    await world.pass(1)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.exits('web')
    await world.pass(19_999)
    expect(world.news()).toEqual([])
    await world.pass(1)
    expect(world.news()).toEqual(['end api.1 SIGTERM'])
    await world.exits('api')
    expect(world.states()).toEqual(idle)
    await world.requested(world.plan(services), 'web')
    expect(world.news()).toEqual(['spawn api.1'])
  })

  test('it does not end while a request is under way, and its time begins anew with the end of each', async () => {
    await serve()
    await request(1)
    await world.pass(600_000)
    expect(world.news()).toEqual([])
    await request(0)
    await world.pass(59_999)
    await request(0)
    await world.pass(59_999)
    expect(world.news()).toEqual([])
    await world.pass(1)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
  })

  test('it does not end as long as nobody counts the requests', async () => {
    await world.up(world.plan({ web: { idleTimeoutMs: 1000 } }))
    await world.healthy('web')
    world.news()
    await world.pass(5000)
    expect(world.news()).toEqual([])
    world.supervisor.countRequests()
    await world.pass(1000)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
  })

  test('whoever counted the requests is replaced: none of those that it knew is under way', async () => {
    await serve()
    await request(3)
    world.supervisor.countRequests()
    await world.pass(60_000)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
  })

  test('the next daemon lets the time begin anew, and goes on to idle', async () => {
    await serve()
    await world.pass(50_000)
    await world.replaceDaemon()
    world.supervisor.countRequests()
    await world.pass(59_999)
    expect(world.news()).toEqual([])
    await world.pass(1)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.replaceDaemon()
    await world.exits('web')
    expect(world.states()).toMatchObject({ 'web.1': 'idle' })
  })

  test('what ends unused is drained, and comes back for a request that came meanwhile', async () => {
    await serve()
    world.isBusy = true
    await world.pass(60_000)
    expect(world.news()).toEqual(['drain web.1'])
    await world.requested(world.plan(services), 'web')
    await world.answered()
    await world.exits('web')
    expect(world.news()).toEqual(['end web.1 SIGTERM', 'spawn web.1'])
  })

  test('it ends no foreground start when it ends well, and what it needs comes up with it', async () => {
    await world.start(world.plan(services))
    await world.healthy('db')
    await world.requested(world.plan(services), 'api')
    await world.healthy('api')
    world.news()
    await world.exits('api')
    expect(world.news()).toEqual([])
    expect(world.states()).toEqual(idle)
  })

  test('of an ordinary service: it starts at once, ends unused, and stays so at an up', async () => {
    const plan = world.plan({ web: { idleTimeoutMs: 60_000 } })
    await world.up(plan)
    world.supervisor.countRequests()
    await world.healthy('web')
    await world.pass(60_000)
    await world.exits('web')
    world.news()
    await world.up(plan, { order: 'again' })
    expect(world.news()).toEqual([])
    expect(world.outcomes()).toEqual(['up done', 'up done'])
    await world.up(plan, { order: 'named', named: ['web'] })
    expect(world.news()).toEqual(['spawn web.1'])
  })
})

describe('start', () => {
  test('the first exit stops the rest and gives its code', async () => {
    await world.start(world.plan({ web: {}, worker: {} }))
    world.news()
    await world.exits('worker', 3)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.exits('web', null)
    expect(world.events.at(-1)).toMatchObject({ type: 'order.ended', kind: 'start', exit_code: 3 })
    expect(world.states()).toEqual({ 'web.1': 'stopped', 'worker.1': 'stopped' })
  })

  test('a task that succeeds stops nothing', async () => {
    await world.start(world.plan({ web: { dependsOn: ['migrate'] }, migrate: task }))
    await world.exits('migrate', 0)
    expect(world.states()).toEqual({ 'web.1': 'starting', 'migrate.1': 'completed' })
  })

  test('a signal gives 128 and its number', async () => {
    await world.start(world.plan({ web: {} }))
    await world.exits('web', null)
    expect(world.events.at(-1)).toMatchObject({ type: 'order.ended', exit_code: 143 })
  })

  test('with restart applies the policy instead', async () => {
    await world.start(world.plan({ web: {} }), true)
    await world.exits('web', 1)
    expect(world.states()).toEqual({ 'web.1': 'backoff' })
  })

  test('a client that is gone for 5 s is an interrupt', async () => {
    const plan = world.plan({ web: {} })
    await world.start(plan)
    world.supervisor.foregroundClient(plan.id, 'start-order', 1)
    await world.pass(60_000)
    world.news()
    world.supervisor.foregroundClient(plan.id, 'start-order', -1)
    await world.pass(3000)
    world.supervisor.foregroundClient(plan.id, 'start-order', 1)
    world.supervisor.foregroundClient(plan.id, 'start-order', -1)
    await world.pass(4999)
    expect(world.news()).toEqual([])
    await world.pass(1)
    expect(world.news()).toEqual(['end web.1 SIGTERM'])
    await world.exits('web', null)
    expect(world.events.at(-1)).toMatchObject({ type: 'order.ended', exit_code: 130 })
  })
})

describe('resume()', () => {
  test('goes on waiting, starting and watching', async () => {
    await world.up(world.plan(chain))
    await world.healthy('db')
    world.news()
    await world.replaceDaemon()
    expect(world.news()).toEqual([])
    await world.healthy('api')
    await world.healthy('web')
    expect(world.news()).toEqual(['spawn web.1'])
    expect(world.outcomes()).toEqual(['up done'])
  })

  test('a back-off ends when it would have ended', async () => {
    await world.up(world.plan({ web: {} }))
    await world.exits('web', 1)
    await world.replaceDaemon()
    await world.pass(249)
    expect(world.states()).toEqual({ 'web.1': 'backoff' })
    await world.pass(1)
    expect(world.states()).toEqual({ 'web.1': 'starting' })
  })

  test('a stop is carried on', async () => {
    const plan = world.plan(chain)
    await world.up(plan)
    for (const name of ['db', 'api', 'web']) await world.healthy(name)
    await world.stop(plan)
    world.news()
    await world.replaceDaemon()
    expect(world.news(), 'asked again, which does no harm').toEqual(['end web.1 SIGTERM'])
    for (const name of ['web', 'api', 'db']) await world.exits(name, null)
    expect(world.outcomes()).toEqual(['up done', 'stop done'])
  })

  test('the start-up limit goes on counting from the start', async () => {
    await world.up(world.plan({ web: {} }))
    await world.pass(50_000)
    await world.replaceDaemon()
    await world.pass(9_999)
    expect(world.outcomes()).toEqual([])
    await world.pass(1)
    expect(world.outcomes()).toEqual(['up failed'])
  })

  test('a restart that was asked for is carried on', async () => {
    const plan = world.plan({ web: {} })
    await world.up(plan)
    await world.healthy('web')
    await world.restart(plan)
    await world.replaceDaemon()
    await world.exits('web', null)
    await world.healthy('web')
    expect(world.outcomes()).toEqual(['up done', 'restart done'])
  })
})

describe('containers that no journal knows', () => {
  const engine = { url: 'unix:///var/run/docker.sock', certificates: null }
  const found = (plan: Plan, hash = plan.services[0]?.hash): readonly Adoption[] => {
    const container = { engine, id: 'c0ffee', name: 'locald-shop-web', pid: null }
    const info = { run: 'found', tag: { hash }, startedAt: 900_000, identity: null, container }
    return [{ plan, runs: [{ key: 'web.1', number: 3, info }] }]
  }

  test('run on when they are as the plan says', async () => {
    const plan = world.plan({ web: { container: { image: 'redis', ports: [], volumes: [] } } })
    await world.loseJournal(found(plan))
    expect(world.news()).toEqual(['adopt container found'])
    expect(world.states()).toEqual({ 'web.1': 'starting' })
    expect(world.supervisor.statuses()[0]?.warnings.join()).toContain('were adopted: web')
  })

  test.each([
    ['start on request', { start: 'on-request' }],
    ['run by a schedule', { ...task, schedule: '@hourly' }],
  ] as const)('run on also when they %s', async (_how, sketch) => {
    const container = { image: 'redis', ports: [], volumes: [] }
    await world.loseJournal(found(world.plan({ web: { container, ...sketch } })))
    expect(world.news()).toEqual(['adopt container found'])
    expect(world.states()).toEqual({ 'web.1': 'starting' })
  })

  test('are ended when they are not, and started anew', async () => {
    const plan = world.plan({ web: { container: { image: 'redis', ports: [], volumes: [] } } })
    await world.loseJournal(found(plan, 'of another plan'))
    expect(world.news()).toEqual(['adopt container found', 'end container found by its own signal'])
    expect(world.states()).toEqual({ 'web.1': 'stopping' })
    await world.containerFact({ run: 'found', at: 1_000_000, type: 'exited', code: 0, signal: null, reason: null })
    await world.containerFact({ run: 'found', at: 1_000_000, type: 'emptied', survivors: [] })
    expect(world.news()).toEqual(['spawn web.1'])
    expect(world.supervisor.statuses()[0]?.warnings.join()).toContain('they are started anew: web')
  })
})

describe('containers that say by themselves that they are ready', () => {
  const adoption = (plan: Plan, startedAt: number, ready: boolean): readonly Adoption[] => {
    const container = { engine: { url: 'unix:///s', certificates: null }, id: 'c', name: 'c', pid: null }
    const info = { run: 'found', tag: { hash: plan.services[0]?.hash }, startedAt, identity: null, container }
    const sender = { pid: 100, uid: 0, command: null, verdict: 'member' } as const
    const notified = ready ? { notified: { fields: { READY: '1' }, sender } } : {}
    return [{ plan, runs: [{ key: 'web.1', number: 1, info: { ...info, ...notified } }] }]
  }

  test.each([
    ['run on when the keeper has heard them', 500, true, 'starting'],
    ['run on when the keeper was there all along, and may still hear them', 500, false, 'starting'],
    ['are started anew when nobody knows any more what they said', -1, false, 'stopping'],
  ])('%s', async (_title, startedAt, ready, state) => {
    const timing = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 }
    const healthCheck = { type: 'notify', ...timing } as const
    const plan = world.plan({ web: { container: { image: 'redis', ports: [], volumes: [] }, healthCheck } })
    await world.loseJournal(adoption(plan, startedAt, ready))
    expect(world.states()).toEqual({ 'web.1': state })
  })
})

describe('a container that is being ended', () => {
  test('gets the time that it asks for', async () => {
    const plan = world.plan({ web: { container: { image: 'redis', ports: [], volumes: [] } } })
    const container = { engine: { url: 'unix:///s', certificates: null }, id: 'c', name: 'c', pid: null }
    const info = { run: 'found', tag: { hash: plan.services[0]?.hash }, startedAt: 1, identity: null, container }
    await world.loseJournal([{ plan, runs: [{ key: 'web.1', number: 1, info }] }])
    world.news()
    await world.says('found', { EXTEND_TIMEOUT_USEC: '5000000' })
    expect(world.news(), 'it is not asked to end').toEqual([])
    await world.stop(plan)
    await world.says('found', { EXTEND_TIMEOUT_USEC: '5000000' })
    expect(world.news()).toEqual(['end container found by its own signal', 'extend found 5000'])
  })
})

describe('containers that are found late', () => {
  test('are adopted, unless something has run in their place since', async () => {
    const container = { image: 'redis', ports: [], volumes: [] }
    const plan = world.plan({ web: { container }, api: { container } })
    const hash = plan.services[0]?.hash
    const engine = { url: 'unix:///var/run/docker.sock', certificates: null }
    const adoption = (key: string): Adoption => {
      const identity = { engine, id: key, name: key, pid: null }
      const info = { run: `found ${key}`, tag: { hash }, startedAt: 900_000, identity: null, container: identity }
      return { plan, runs: [{ key, number: 3, info }] }
    }
    await world.loseJournal([])
    world.supervisor.register(plan)
    world.supervisor.adopt([adoption('web.1')])
    await world.settle()
    expect(world.news()).toEqual(['adopt container found web.1'])
    expect(world.states()).toEqual({ 'web.1': 'starting', 'api.1': 'stopped' })
    await world.up(plan, { services: ['api'] })
    expect(world.news()).toEqual(['spawn api.1'])
    world.supervisor.adopt([adoption('api.1')])
    await world.settle()
    expect(world.news()).toEqual([])
  })
})

describe('a schedule', () => {
  const hourly = { ...task, schedule: '@hourly' }
  const hour = 3_600_000

  test('runs at its moments, each time after its dependencies', async () => {
    world.now = 0
    await world.up(world.plan({ backup: { ...hourly, dependsOn: ['db'] }, db: {} }))
    await world.healthy('db')
    expect(world.outcomes(), 'it is where it should be').toEqual(['up done'])
    expect(world.news()).toEqual(['spawn db.1'])
    await world.pass(hour)
    expect(world.news()).toEqual(['spawn backup.1'])
    await world.exits('backup', 0)
    expect(world.states()['backup.1']).toBe('scheduled')
    await world.exits('db', 1)
    await world.pass(hour)
    expect(world.states()['backup.1'], 'its dependency is being restarted').toBe('waiting')
    await world.healthy('db')
    expect(world.news()).toContain('spawn backup.1')
  })

  test('goes on with the next daemon, and leaves out what passed meanwhile', async () => {
    world.now = 0
    await world.up(world.plan({ backup: hourly }))
    world.now = 2 * hour + 1000 * 60
    await world.replaceDaemon()
    await world.pass(0)
    expect(world.news()).toEqual([])
    await world.pass(hour - 60_000)
    expect(world.news()).toEqual(['spawn backup.1'])
  })

  test('never runs twice at once, and is no end of a foreground start', async () => {
    world.now = 0
    const plan = world.plan({ backup: hourly, web: {} })
    await world.start(plan)
    await world.healthy('web')
    world.supervisor.foregroundClient(plan.id, 'start-order', 1)
    await world.pass(hour)
    await world.pass(hour)
    expect(world.news().filter((what) => what.startsWith('spawn backup'))).toHaveLength(1)
    await world.exits('backup', 1)
    expect(world.states()).toEqual({ 'backup.1': 'scheduled', 'web.1': 'running' })
  })
})

describe('files', () => {
  test('are watched from the first run to the stop, and by the next daemon', async () => {
    const plan = world.plan({
      web: { watch: ['src/**'] },
      with: { dependsOn: [{ service: 'web', restartWith: true }] },
    })
    await world.up(plan)
    await world.healthy('web')
    await world.healthy('with')
    world.news()
    await world.filesChange('web', 'src/a.ts')
    expect(world.news()).toEqual(['end web.1 SIGTERM', 'end with.1 SIGTERM'])
    await world.exits('with', null)
    await world.exits('web', null)
    await world.healthy('web')
    expect(world.news()).toEqual(['spawn web.1', 'spawn with.1'])
    await world.replaceDaemon()
    await world.filesChange('web', 'src/a.ts')
    expect(world.news()).toEqual(['end web.1 SIGTERM', 'end with.1 SIGTERM'])
    await world.stop(plan)
    await expect(world.filesChange('web', 'src/a.ts')).rejects.toThrow('Nobody watches')
  })

  test('that changed do not end a foreground start', async () => {
    const plan = world.plan({ web: { watch: ['src/**'] } })
    await world.start(plan)
    await world.healthy('web')
    world.supervisor.foregroundClient(plan.id, 'start-order', 1)
    await world.filesChange('web', 'src/a.ts')
    await world.exits('web', 1)
    expect(world.states()).toEqual({ 'web.1': 'starting' })
  })
})

describe('a port that was found', () => {
  const services = { web: { port: 5000 }, api: { env: { WEB: '${services.web.url}' } }, other: {} }
  const warnings = (): readonly string[] =>
    world.supervisor.statuses()[0]?.services.find((s) => s.name === 'web')?.warnings ?? []

  test('is told to siblings that are started from then on; those that were not are named', async () => {
    const plan = world.plan(services)
    await world.up(plan)
    await world.listens('web', 5173)
    expect(warnings()).toEqual([expect.stringContaining('locald restart api')])
    expect(world.supervisor.planSeenBy(plan.id, 'api').services.find((s) => s.name === 'web')?.instances[0]?.port).toBe(
      5173,
    )
    expect(world.supervisor.planSeenBy(plan.id, 'web').services.find((s) => s.name === 'web')?.instances[0]?.port).toBe(
      5000,
    )
    await world.restart(plan, ['api.1'])
    await world.exits('api', null)
    expect(warnings()).toEqual([])
  })

  test('on ::1 alone has an address that works, for siblings too', async () => {
    const plan = world.plan(services)
    await world.up(plan)
    await world.listens('web', 5000, '::1')
    const seen = (): unknown =>
      addressesOf(world.supervisor.planSeenBy(plan.id, 'api').services)
        .get('web')
        ?.variables.map(([, value]) => value)
    const shown = (): unknown => world.supervisor.statuses()[0]?.services.find((s) => s.name === 'web')
    expect(seen()).toEqual(['::1', '5000', 'http://[::1]:5000'])
    expect(shown()).toMatchObject({ port: 5000, host: '::1', url: 'http://[::1]:5000' })
    await world.listens('web', 5000)
    expect(seen()).toEqual(['127.0.0.1', '5000', 'http://127.0.0.1:5000'])
    expect(shown()).toMatchObject({ port: 5000, url: 'http://127.0.0.1:5000' })
  })

  test('is the best guess until it listens again, but not for another definition', async () => {
    const plan = world.plan(services)
    await world.up(plan)
    await world.listens('web', 5173)
    await world.restart(plan, ['web.1'])
    await world.exits('web', null)
    const portOf = (seen: typeof plan): unknown => seen.services.find((s) => s.name === 'web')?.instances[0]?.port
    expect(portOf(world.supervisor.planSeenBy(plan.id, 'api'))).toBe(5173)
    const other = world.plan({ ...services, web: { port: 5000, command: 'run web --port $PORT' } })
    await world.restart(other, ['web.1'])
    await world.exits('web', null)
    expect(portOf(world.supervisor.planSeenBy(plan.id, 'api'))).toBe(5000)
  })
})
