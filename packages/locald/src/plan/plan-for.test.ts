import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isBlockedPort } from '../lib/blocked-ports.ts'
import { fixedPorts, keptPorts, planFor, portBaseOf } from './plan-for.ts'
import type { PlanInputs } from './plan-for.ts'
import type { Plan } from './plan.ts'
import { configOf, layersOf, planOf } from './testing/config-of.ts'
import type { ServiceSketch } from './testing/config-of.ts'

function namesOf(plan: Plan): readonly string[] {
  return plan.services.map(({ name }) => name)
}

function portsOf(plan: Plan): Readonly<Record<string, readonly (number | null)[]>> {
  return Object.fromEntries(plan.services.map(({ name, instances }) => [name, instances.map(({ port }) => port)]))
}

function dependenciesOf(plan: Plan, service: string): readonly string[] {
  const found = plan.services.find(({ name }) => name === service)
  return (found?.dependsOn ?? []).map((each) => `${each.service} ${each.condition}${each.implicit ? ' (implied)' : ''}`)
}

function faultsOf(services: Readonly<Record<string, ServiceSketch>>, inputs: PlanInputs = {}) {
  const result = planFor(configOf(services), inputs)
  expect(result.ok).toBe(false)
  return result.diagnostics.map(({ code, message, line, hint }) => ({ code, message, line, hint }))
}

function warningsOf(...planned: Parameters<typeof planFor>): readonly string[] {
  const result = planFor(...planned)
  expect(result.ok).toBe(true)
  return result.diagnostics.map(({ severity, code, file, line }) => `${severity} ${code} ${file}:${line}`)
}

// Order

test('planFor() starts dependencies first and else keeps the order of the file', () => {
  const plan = planOf(
    configOf({ web: { dependsOn: ['api'] }, docs: {}, api: { dependsOn: ['db'] }, db: {}, worker: {} }),
  )
  expect(namesOf(plan)).toEqual(['docs', 'db', 'api', 'web', 'worker'])
})

test('planFor() names a cycle in full, at the dependency that begins it', () => {
  const faults = faultsOf({ other: {}, web: { dependsOn: ['api'] }, api: { dependsOn: ['other', 'web'] } })
  expect(faults).toEqual([
    expect.objectContaining({ code: 'cycle', line: 20, message: 'Services wait for each other: web → api → web' }),
  ])
})

const references: readonly [string, ServiceSketch][] = [
  ['env', { env: { DATABASE: '${services.db.url}' } }],
  ['a default in env', { env: { DATABASE: '${DATABASE:-${services.db.url}}' } }],
  ['a shell command', { command: 'wait-for ${services.db.host}:${services.db.port}' }],
  ['a list command', { command: ['wait-for', '${services.db.port}'] }],
  [
    'a command check',
    {
      healthCheck: {
        type: 'command',
        command: 'ping ${services.db.port}',
        intervalMs: 1,
        timeoutMs: 1,
        retries: 1,
        startPeriodMs: 0,
      },
    },
  ],
]

test.each(references)('planFor() makes a reference in %s a dependency', (_, web) => {
  const plan = planOf(configOf({ web, db: {} }))
  expect(namesOf(plan)).toEqual(['db', 'web'])
  expect(dependenciesOf(plan, 'web')).toEqual(['db started (implied)'])
})

test('planFor() keeps a written dependency on a service that is also referred to', () => {
  const plan = planOf(configOf({ web: { dependsOn: ['db'], env: { URL: '${services.db.url}' } }, db: {} }))
  expect(dependenciesOf(plan, 'web')).toEqual(['db healthy'])
})

test('planFor() lets services refer to each other and to themselves', () => {
  const plan = planOf(
    configOf({
      web: { env: { API: '${services.api.url}', SELF: '${services.web.url}' } },
      api: { env: { ORIGIN: '${services.web.url}' } },
    }),
  )
  expect(dependenciesOf(plan, 'web')).toEqual(['api started (implied)'])
  expect(dependenciesOf(plan, 'api')).toEqual([])
})

test('planFor() makes a reference in [env] a dependency of all services but the one referred to', () => {
  const plan = planOf(configOf({ web: {}, db: {} }, { env: { URL: '${services.db.url}' } }))
  expect(dependenciesOf(plan, 'web')).toEqual(['db started (implied)'])
  expect(dependenciesOf(plan, 'db')).toEqual([])
})

test('planFor() lets everything wait for the release line of a Procfile but what that one refers to', () => {
  const release: ServiceSketch = { type: 'task', listening: 'never', command: 'migrate ${services.db.port}' }
  const plan = planOf(configOf({ web: {}, db: {}, release }, { format: 'procfile' }))
  expect(namesOf(plan)).toEqual(['db', 'release', 'web'])
  expect(dependenciesOf(plan, 'web')).toEqual(['release completed (implied)'])
  expect(dependenciesOf(plan, 'db')).toEqual([])
})

test('planFor() treats a service called release in locald.toml like any other', () => {
  const plan = planOf(configOf({ web: {}, release: { type: 'task', listening: 'never' } }))
  expect(dependenciesOf(plan, 'web')).toEqual([])
})

const dependencyGraph = fc.array(fc.tuple(fc.nat(9), fc.nat(9), fc.boolean()), { maxLength: 25 }).map((edges) =>
  Object.fromEntries(
    Array.from({ length: 10 }, (_, n): [string, ServiceSketch] => {
      const own = edges.filter(([from, to]) => from === n && to !== n)
      return [
        `s${n}`,
        {
          // Written ones point one way only, so that there is a plan; references go anywhere.
          dependsOn: own.filter(([, to, isWritten]) => isWritten && to < n).map(([, to]) => `s${to}`),
          env: Object.fromEntries(
            own.filter(([, , isWritten]) => !isWritten).map(([, to]) => [`URL_${to}`, `\${services.s${to}.url}`]),
          ),
        },
      ]
    }),
  ),
)

test('planFor() puts every service after all that it depends on, whatever refers to what', () => {
  fc.assert(
    fc.property(dependencyGraph, (services) => {
      const plan = planOf(configOf(services))
      const names = namesOf(plan)
      expect([...names].toSorted()).toEqual(Object.keys(services).toSorted())
      for (const [index, { dependsOn }] of plan.services.entries()) {
        for (const { service } of dependsOn) expect(names.indexOf(service)).toBeLessThan(index)
      }
    }),
    { numRuns: 60 },
  )
})

test('planFor() gives plain data, which survives the journal', () => {
  const config = configOf({ web: { dependsOn: ['db'], env: { PORT: '3000' } }, db: { replicas: 2 } })
  const plan = planOf(config, { layers: layersOf('A=1') })
  expect(JSON.parse(JSON.stringify(plan))).toStrictEqual(plan)
})

// References

test('planFor() reports every reference that means nothing, with its place and the nearest name', () => {
  const faults = faultsOf({
    web: { env: { A: '${services.bd.url}', B: '${services.db.prot}', C: '${services.db}' } },
    db: {},
    worker: { listening: 'never', command: 'work ${services.worker.port}' },
  })
  expect(faults).toEqual([
    {
      code: 'unknown-service',
      line: 11,
      message: '"${services.bd.url}" refers to a service "bd", which does not exist',
      hint: 'Did you mean "db"?',
    },
    {
      code: 'unknown-reference',
      line: 12,
      message: '"${services.db.prot}" asks for "prot", which no service has',
      hint: 'Did you mean "port"?',
    },
    {
      code: 'reference-unreadable',
      line: 13,
      message: 'Cannot read the reference "${services.db}"',
      hint: 'Write ${services.NAME.url}, ${env.NAME} or ${NAME:-default}; for a literal "${" write "$${"',
    },
    {
      code: 'reference-without-port',
      line: 30,
      message: '"${services.worker.port}" refers to "worker", which has no port',
      hint: 'Give "worker" a port, or remove the reference',
    },
  ])
})

// Ports

test('planFor() assigns a port to what may listen, and none to what never does', () => {
  const plan = planOf(
    configOf({ web: { replicas: 2 }, worker: { listening: 'never' }, off: { port: false }, db: { port: 5432 } }),
  )
  const { web, ...others } = portsOf(plan)
  expect(others).toEqual({ worker: [null], off: [null], db: [5432] })
  expect(web).toHaveLength(2)
  for (const port of web ?? []) {
    expect(port).toBeGreaterThanOrEqual(20_000)
    expect(port).toBeLessThanOrEqual(32_767)
  }
})

test('planFor() gives the same service other ports in another project', () => {
  const services = { web: {} }
  expect(portsOf(planOf(configOf(services, { id: 'one' })))).not.toEqual(
    portsOf(planOf(configOf(services, { id: 'two' }))),
  )
})

test('planFor() keeps a port that is free', () => {
  expect(portsOf(planOf(configOf({ web: {} }), { keptPorts: new Map([['web.1', 20_007]]) }))).toEqual({
    web: [20_007],
  })
})

test('planFor() keeps a port that the very instance listens on', () => {
  const plan = planOf(configOf({ web: { replicas: 2 } }), {
    keptPorts: new Map([
      ['web.1', 20_007],
      ['web.2', 20_008],
    ]),
    isPortFree: (port, { service, instance }) => ![20_007, 20_008].includes(port) || `${service}${instance}` === 'web1',
  })
  expect(plan.services[0]?.instances[0]?.port).toBe(20_007)
  expect(plan.services[0]?.instances[1]?.port).not.toBe(20_008)
})

test.each([
  ['out of range', 5000, {}],
  ['reserved by another project', 20_007, { reserved: new Set([20_007]) }],
  ['somebody else’s', 20_007, { isPortFree: (port: number) => port !== 20_007 }],
])('planFor() does not keep a port that is %s', (_, kept, inputs) => {
  const plan = planOf(configOf({ web: {} }), { ...inputs, keptPorts: new Map([['web.1', kept]]) })
  expect(portsOf(plan)['web']).not.toContain(kept)
})

test('planFor() lets no newcomer take a kept port', () => {
  const before = planOf(configOf({ web: {} }))
  const [port] = portsOf(before)['web'] ?? []
  const kept = new Map([['old.1', Number(port)]])
  const { web, old } = portsOf(planOf(configOf({ web: {}, old: {} }), { keptPorts: kept }))
  expect(old).toEqual([port])
  expect(web).not.toEqual([port])
})

test('planFor() fails when no port is left', () => {
  const result = planFor(configOf({ web: {} }), { isPortFree: () => false })
  expect(result).toMatchObject({ ok: false, code: 'port_exhausted', diagnostics: [{ code: 'port-exhausted' }] })
})

test('planFor() gives a fixed port whether it is free or not, and fixedPorts() lists it', () => {
  const plan = planOf(configOf({ db: { port: 5432, replicas: 2 }, web: {} }), { isPortFree: (port) => port > 6000 })
  expect(fixedPorts(plan)).toEqual([
    { service: 'db', instance: 1, port: 5432 },
    { service: 'db', instance: 2, port: 5433 },
  ])
  expect([...keptPorts(plan).keys()]).toEqual(['web.1'])
})

test('planFor() refuses one fixed port for two instances', () => {
  expect(faultsOf({ web: { port: 3000, replicas: 2 }, api: { port: 3001 } })).toEqual([
    expect.objectContaining({ code: 'port-shared', line: 20, message: '"api" and "web" both have port 3001' }),
  ])
})

test('planFor() refuses replicas whose ports would be too high', () => {
  expect(faultsOf({ web: { port: 65_535, replicas: 2 } })).toEqual([expect.objectContaining({ code: 'bad-port' })])
})

test('planFor() warns of a fixed port that browsers refuse', () => {
  expect(warningsOf(configOf({ web: { port: 6000 } }))).toEqual(['warning port-blocked /home/me/shop/locald.toml:10'])
})

const projects = fc.array(
  fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    replicas: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 4 },
)

test('planFor() gives no two instances of any projects one port, none that is taken or blocked, and the same again', () => {
  fc.assert(
    fc.property(projects, fc.nat(5), (sketches, modulus) => {
      const isPortFree = (port: number): boolean => modulus < 2 || port % modulus !== 0
      const reserved = new Set<number>()
      for (const { id, replicas } of sketches) {
        const config = configOf(Object.fromEntries(replicas.map((count, n) => [`s${n}`, { replicas: count }])), { id })
        const plan = planOf(config, { reserved, isPortFree })
        expect(planOf(config, { reserved, isPortFree })).toEqual(plan)
        // Running now: nothing is free any more but to its own instance.
        const kept = keptPorts(plan)
        const isOwn = (port: number, { service, instance }: { service: string; instance: number }): boolean =>
          kept.get(`${service}.${instance}`) === port
        expect(planOf(config, { reserved, keptPorts: kept, isPortFree: isOwn })).toEqual(plan)
        for (const port of kept.values()) {
          expect(reserved.has(port)).toBe(false)
          expect(isBlockedPort(port)).toBe(false)
          expect(isPortFree(port)).toBe(true)
          reserved.add(port)
        }
      }
    }),
    { numRuns: 50 },
  )
})

// PORT in env

test('planFor() takes PORT in a service’s env or env_file for its port', () => {
  const plan = planOf(configOf({ web: { env: { PORT: '3000' } }, api: {} }), {
    layers: layersOf('API_PORT=4000', { api: 'PORT=${API_PORT:-1}' }),
  })
  expect(portsOf(plan)).toEqual({ web: [3000], api: [4000] })
  expect(fixedPorts(plan).map(({ service }) => service)).toEqual(['web', 'api'])
  expect(plan.services[0]?.config).toMatchObject({ type: 'exec', listening: 'must', port: 3000 })
})

test('planFor() does not take the shell’s or a flag’s port for that of several services', () => {
  const plan = planFor(configOf({ web: {}, api: {} }), { flags: { PORT: '3000' } })
  expect(plan).toMatchObject({ ok: true, diagnostics: [{ severity: 'warning', code: 'port-ignored' }] })
  expect(plan.ok && fixedPorts(plan.plan)).toEqual([])
})

test('planFor() takes PORT of a flag for the port of the only service that has one', () => {
  const plan = planOf(configOf({ web: { port: 3000 }, worker: { listening: 'never' } }), { flags: { PORT: '4000' } })
  expect(portsOf(plan)).toEqual({ web: [4000], worker: [null] })
})

test('planFor() refuses a PORT that replicas would have to share', () => {
  const result = planFor(configOf({ web: { replicas: 2 } }), { layers: layersOf('', { web: 'PORT=3000' }) })
  expect(result).toMatchObject({
    ok: false,
    diagnostics: [{ code: 'conflict', file: '/home/me/shop/.env.web', line: 1 }],
  })
})

test('planFor() prefers port to PORT', () => {
  expect(portsOf(planOf(configOf({ web: { port: 3000, env: { PORT: '4000' } } })))).toEqual({ web: [3000] })
})

test('planFor() leaves PORT of a service without a port alone', () => {
  expect(portsOf(planOf(configOf({ worker: { listening: 'never', env: { PORT: 'usb0' } } })))).toEqual({
    worker: [null],
  })
})

test('planFor() ignores a shared PORT with a warning', () => {
  const config = configOf({ web: {} }, { env: { PORT: '3000' } })
  const layers = layersOf('A=1\nPORT=3000')
  expect(warningsOf(config, { layers })).toEqual([
    'warning port-ignored /home/me/shop/.env:2',
    'warning port-ignored /home/me/shop/locald.toml:1',
  ])
  expect(fixedPorts(planOf(config, { layers }))).toEqual([])
})

test.each(['abc', '0', '65536', '3000 ', '${services.api.port}'])(
  'planFor() refuses %j as PORT of a service',
  (port) => {
    expect(faultsOf({ web: { env: { PORT: port } }, api: {} })).toEqual([
      expect.objectContaining({ code: 'bad-port', line: 11 }),
    ])
  },
)

// Foreman's ports

test('planFor() counts ports from a base as foreman does, over every service of the file', () => {
  const config = configOf({ worker: { listening: 'never' }, web: { replicas: 2, dependsOn: ['db'] }, db: {} })
  expect(portsOf(planOf(config, { portBase: 5000 }))).toEqual({ worker: [null], web: [5100, 5101], db: [5200] })
})

test('planFor() gives another port with a warning where the counted one is taken or blocked', () => {
  const config = configOf({ web: {}, api: {} })
  const inputs: PlanInputs = { portBase: 5900, isPortFree: (port) => port !== 5900 }
  expect(warningsOf(config, inputs)).toEqual([
    'warning port-moved /home/me/shop/locald.toml:10',
    'warning port-moved /home/me/shop/locald.toml:20',
  ])
  expect(Object.values(portsOf(planOf(config, inputs))).flat()).not.toEqual(expect.arrayContaining([5900]))
})

test('planFor() does not warn of a shared PORT that is counted from', () => {
  expect(warningsOf(configOf({ web: {} }), { layers: layersOf('PORT=7000'), portBase: 7000 })).toEqual([])
})

test('portBaseOf() prefers the env file to the shell, and both to 5000', () => {
  expect(portBaseOf(layersOf('PORT=7000'), { PORT: '8000' })).toBe(7000)
  expect(portBaseOf(layersOf('PORT=abc'), { PORT: '8000' })).toBe(8000)
  expect(portBaseOf(layersOf(''), {})).toBe(5000)
})
