import { expect, test } from 'vitest'
import { configOf, planOf } from '../plan/testing/config-of.ts'
import type { ServiceSketch } from '../plan/testing/config-of.ts'
import { newInstance } from '../supervisor/instance.ts'
import type { Instance, InstanceState, Run } from '../supervisor/instance.ts'
import { routeTableOf, serviceKey, splitServiceKey } from './route-table-of.ts'
import type { RouteSources } from './route-table-of.ts'

const run: Run = { id: 'r', number: 1, identity: null, startedAt: 0, hash: 'h' }
const running = (healthy = true): InstanceState => ({ id: 'running', run, healthy })
const stopping = (afterwards: 'policy' | 'stop' | 'start' | 'idle'): InstanceState => ({
  id: 'stopping',
  run,
  since: 0,
  exit: null,
  afterwards,
  signalled: null,
  killed: false,
})
const starting = (overdue: boolean): InstanceState => ({
  id: 'starting',
  run,
  deadline: null,
  hopelessAt: null,
  overdue,
})

function instance(state: InstanceState, ports: readonly number[] = [], wanted = true): Instance {
  return { state, memory: { ...newInstance.memory, wanted, ports } }
}

/** A project of which these instances are known, by key. */
function sources(
  services: Readonly<Record<string, ServiceSketch>>,
  instances: Readonly<Record<string, Instance>>,
  rest: Partial<RouteSources> = {},
): RouteSources {
  const plan = planOf(configOf(services))
  const planned = { plan, leaving: [], flags: {}, warnings: [] }
  return {
    projects: new Map([
      [
        plan.id,
        {
          planned,
          instances: new Map(Object.entries(instances)),
        },
      ],
    ]),
    holders: new Map(plan.hosts.map(({ host }) => [host, plan.id])),
    redirectTo: () => null,
    aliases: new Map(),
    ...rest,
  }
}

/** State and upstreams of `web`, which listens on port 5000 unless it says otherwise. */
function web(instances: Readonly<Record<string, Instance>>, sketch: ServiceSketch = {}): string {
  const all = sources({ web: { listening: 'must', port: 5000, ...sketch } }, instances)
  const target = Object.values(routeTableOf(all).services)[0]
  return [target?.state, ...(target?.upstreams ?? []).map(({ instance: n, port }) => `${n}:${port}`)].join(' ')
}

test.each([
  [instance(running()), 'up 1:5000'],
  [instance(running(), [5173]), 'up 1:5173'],
  [instance(running(false)), 'up 1:5000'],
  [instance({ id: 'waiting', since: 0 }), 'starting'],
  [instance(starting(false)), 'starting'],
  [instance(starting(true)), 'failed'],
  [instance({ id: 'backoff', until: 9, reason: 'x' }), 'starting'],
  [instance(stopping('start')), 'starting'],
  [instance(stopping('policy')), 'starting'],
  [instance(stopping('idle')), 'idle'],
  [instance(stopping('stop'), [], false), 'down'],
  [instance({ id: 'idle' }), 'idle'],
  [instance({ id: 'failed', reason: 'x' }), 'failed'],
  [instance({ id: 'completed' }), 'down'],
  [newInstance, 'down'],
])('routeTableOf() in state %j', (known, expected) => {
  expect(web({ 'web.1': known })).toBe(expected)
})

test('routeTableOf() sends requests to the replicas that are healthy, and to others only when none is', () => {
  const two = { replicas: 2, port: 5000 }
  const [good, bad] = [instance(running(), [6001]), instance(running(false), [6002])]
  expect(web({ 'web.1': good, 'web.2': bad }, two)).toBe('up 1:6001')
  expect(web({ 'web.1': instance(starting(false)), 'web.2': good }, two)).toBe('up 2:6001')
  expect(web({ 'web.1': bad, 'web.2': instance({ id: 'failed', reason: 'x' }) }, two)).toBe('up 1:6002')
})

test('routeTableOf() has a site while it is up, and nothing of it at other times', () => {
  const sketch: ServiceSketch = { type: 'site', listening: 'never', site: { path: '/home/me/shop/dist' } }
  const siteIn = (state: InstanceState): unknown =>
    Object.values(routeTableOf(sources({ docs: sketch }, { 'docs.1': instance(state) })).services)[0]
  expect(siteIn({ id: 'serving' })).toMatchObject({
    state: 'up',
    upstreams: [],
    site: { directory: '/home/me/shop/dist' },
  })
  expect(siteIn(starting(false))).toMatchObject({ state: 'starting', site: null })
  expect(siteIn({ id: 'stopped' })).toMatchObject({ state: 'down', site: null })
})

test('routeTableOf() has the names that the project holds, and aliases besides', () => {
  const services = {
    web: { listening: 'must' },
    api: { listening: 'must' },
    jobs: { type: 'worker', listening: 'never' },
  } as const
  const all = sources(services, {}, { aliases: new Map([['docs.localhost', 3000]]) })
  const { hosts, services: targets } = routeTableOf({
    ...all,
    holders: new Map([...all.holders, ['api.shop.localhost', 'somebody else']]),
  })
  expect(Object.keys(hosts).sort()).toEqual(['docs.localhost', 'shop.localhost'])
  expect(Object.keys(targets).sort()).toEqual(['/docs.localhost', 'a1b2c3/api', 'a1b2c3/web'])
  const [alias] = hosts['docs.localhost']?.rules ?? []
  expect(targets[alias?.service ?? '']).toMatchObject({ state: 'up', upstreams: [{ instance: 1, port: 3000 }] })
})

test('routeTableOf() says of each name whether it is redirected', () => {
  const aliases = new Map([['docs.test', 3000]])
  const redirectTo = (host: string): number | null => (host.endsWith('.localhost') ? 8443 : null)
  const { hosts } = routeTableOf(sources({ web: { listening: 'must' } }, {}, { aliases, redirectTo }))
  expect(hosts).toMatchObject({ 'shop.localhost': { redirectTo: 8443 }, 'docs.test': { redirectTo: null } })
})

test('a service key can be taken apart, that of an alias cannot', () => {
  expect(splitServiceKey(serviceKey('a1', 'web/x'))).toEqual({ project: 'a1', service: 'web/x' })
  expect(splitServiceKey('/docs.localhost')).toBeNull()
})
