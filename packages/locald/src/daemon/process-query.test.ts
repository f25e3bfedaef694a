import { expect, test } from 'vitest'
import { describeProcesses } from '../cli/output/progress.ts'
import { newInstance } from '../supervisor/instance.ts'
import { applyChange } from '../supervisor/state.ts'
import { SupervisorWorld } from '../supervisor/testing/supervisor-world.ts'
import type { DaemonParts } from './daemon-parts.ts'
import { queryProcesses } from './process-query.ts'
import type { Projects } from './projects.ts'
import { Strays } from './strays.ts'

test('a container that is being stopped is shown as what is alive, and the keeper is not asked for it', async () => {
  const world = new SupervisorWorld()
  const plan = world.plan({ db: {} })
  await world.up(plan)
  const engine = { url: 'unix:///var/run/docker.sock', certificates: null }
  const container = { engine, id: '0123456789abcdef', name: 'locald-shop-db-1a2b3c', pid: 42 }
  const run = { id: 'r', number: 1, identity: null, container, startedAt: 0, hash: '' }
  const state = {
    id: 'stopping',
    run,
    since: 0,
    exit: null,
    afterwards: 'stop',
    signalled: 'SIGTERM',
    killed: false,
  } as const
  applyChange(world.supervisor.state, {
    kind: 'instance',
    project: plan.id,
    key: 'db.1',
    instance: { ...newInstance, state },
  })
  const keeper = { request: (op: string) => Promise.reject(new Error(`The keeper was asked for ${op}`)) }
  const strays = new Strays(keeper, { log: () => {} })
  const parts = { supervisor: world.supervisor, keeper, strays } as unknown as DaemonParts

  const processes = [{ pid: 42, command: 'container locald-shop-db-1a2b3c', container: '0123456789abcdef' }]
  const alive = { state: 'stopping', stopping_since: '1970-01-01T00:00:00.000Z', processes }
  const projects = {
    planOf: () => Promise.resolve(plan),
    recordOf: (id: string) => world.supervisor.state.projects.get(id),
  } as unknown as Projects
  expect(await queryProcesses(projects, parts, { dir: '/shop' }, ['db'])).toEqual([{ service: 'db', ...alive }])
  expect(await queryProcesses(projects, parts, {}, [])).toEqual([{ service: `${plan.name} db`, ...alive }])
  expect(describeProcesses(processes)).toBe('container locald-shop-db-1a2b3c (0123456789ab)')
})
