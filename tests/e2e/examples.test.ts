// Each example is a promise: it comes up as its README says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EnvVariable, ProjectStatus } from '@locald/protocol'
import { expect, test } from 'vitest'
import { curl } from '../support/curl.ts'
import { createHarness } from '../support/harness.ts'

/** What `status` says of each service, as far as these tests look at it. */
function summary(status: ProjectStatus): Record<string, string> {
  return Object.fromEntries(
    status.services.map(({ name, state, health }) => [name, `${state} ${health.status} ${health.source ?? '-'}`]),
  )
}

test('examples/hello comes up in order, answers, and stops', async () => {
  await using harness = createHarness()
  const hello = harness.example('hello')
  const { stdout } = await hello.up()
  expect(stdout).toMatch(/web\b.*\bhealthy\b.*\bhttp\b/u)

  const status = await hello.status()
  expect(summary(status)).toEqual({
    prepare: 'completed healthy process',
    web: 'running healthy http',
    greeter: 'running healthy process',
  })
  const web = await hello.service('web')
  const answer = await fetch(`http://127.0.0.1:${web.port}/`)
  expect(await answer.text()).toMatch(/^Hello from locald\nYou are visitor \d+\n$/u)
  expect((await hello.lines('prepare')).at(-1)).toBe('greeting written')
  expect(await hello.lines('greeter')).toContain('You are visitor 1')

  const stopped = await hello.locald('stop')
  expect(stopped.code).toBe(0)
  await expect(fetch(`http://127.0.0.1:${web.port}/`)).rejects.toThrow('fetch failed')
  expect((await hello.lines('web')).at(-1)).toBe('closing')
})

test('examples/procfile-test runs release first, then web and worker', async () => {
  await using harness = createHarness()
  const project = harness.example('procfile-test')
  await project.up()
  expect(summary(await project.status())).toEqual({
    release: 'completed healthy process',
    web: 'running healthy tcp',
    worker: 'running healthy process',
  })
  const web = await project.service('web')
  const answer = await fetch(`http://127.0.0.1:${web.port}/`)
  expect(await answer.text()).toBe('hello from the Procfile\n')
  expect(await project.lines('worker')).toContain('working as worker.1')
})

test('examples/worker-test restarts what crashes and leaves alone what is done', async () => {
  await using harness = createHarness()
  const project = harness.example('worker-test')
  await project.locald('up', '--no-wait')
  const flaky = await project.waitFor('flaky', (service) => service.restarts === 2 && service.state === 'running')
  expect(flaky.health).toMatchObject({ status: 'healthy', source: 'process' })
  expect(await project.lines('flaky')).toEqual(expect.arrayContaining(['start 1', 'start 2', 'start 3']))
  const once = await project.waitFor('once', (service) => service.state === 'completed')
  expect(once.exit).toMatchObject({ code: 0, signal: null })
  const ticker = await project.waitFor('ticker', (service) => service.state === 'running')
  expect(ticker).toMatchObject({ port: null, ports: [], restarts: 0 })
})

test('examples/env-test resolves every level of the environment', async () => {
  await using harness = createHarness()
  const project = harness.example('env-test')

  // Before anything runs: the same answer without a daemon.
  const asked = await project.locald('env', 'show', '--json')
  expect(asked.code).toBe(0)
  const { variables } = asked.json<{ service: string; variables: EnvVariable[] }>()
  const variable = (name: string): EnvVariable | undefined => variables.find((candidate) => candidate.name === name)
  expect(variable('LEVEL')).toEqual({
    name: 'LEVEL',
    value: 'service',
    source: 'service',
    file: join(project.directory, 'locald.toml'),
    line: 15,
  })
  expect(variable('OVERRIDDEN')).toMatchObject({ value: 'local', source: 'dotenv', line: 1 })
  expect(variable('FROM_FILE')).toMatchObject({ value: 'yes', source: 'env_file', line: 2 })
  expect(variable('FROM_PROJECT')).toMatchObject({ value: 'yes', source: 'project' })
  expect((await harness.serverStatus()).daemon).toBeNull()

  await project.up()
  const api = await project.service('api')
  const printed: unknown = JSON.parse((await project.lines('show')).at(-1) ?? '')
  expect(printed).toEqual({
    LEVEL: 'service',
    FROM_PROJECT: 'yes',
    FROM_FILE: 'yes',
    GREETING: 'hello world',
    LITERAL: 'pa$word',
    OVERRIDDEN: 'local',
    API: `http://127.0.0.1:${api.port}/v1`,
    FALLBACK: 'default',
    API_PORT: String(api.port),
    PS: 'show.1',
  })
})

test('examples/signal-test ends each service by its own signal', async () => {
  await using harness = createHarness()
  const project = harness.example('signal-test')
  await project.up()
  // Each is healthy by running for a second; by then they have said that their handlers are there.
  for (const name of ['polite', 'stubborn', 'leader']) expect(await project.lines(name)).toContain('ready')

  const stopped = await project.locald('stop')
  expect(stopped.code).toBe(0)
  expect((await project.lines('polite')).at(-1)).toBe('got SIGINT, finishing')
  expect(await project.lines('stubborn')).toContain('got SIGTERM, staying')
  expect((await project.lines('leader')).at(-1)).toBe('child ended with 143')
  expect((await project.service('polite')).exit).toMatchObject({ code: 0, signal: null })
  expect((await project.service('stubborn')).exit).toMatchObject({ code: null, signal: 'SIGKILL' })
  expect((await project.service('leader')).exit).toMatchObject({ code: 0, signal: null })
})

test('examples/health-check-test is healthy by each kind of check', async () => {
  await using harness = createHarness()
  const project = harness.example('health-check-test')
  await project.up()
  const status = await project.status()
  expect(summary(status)).toEqual({
    http: 'running healthy http',
    command: 'running healthy command',
    tcp: 'running healthy tcp',
    log: 'running healthy log',
    discovered: 'running healthy tcp',
  })
  const discovered = await project.service('discovered')
  const [line = ''] = (await project.lines('discovered')).filter((text) => text.startsWith('ready on'))
  expect(line).toBe(`ready on ${discovered.port}`)
  // Not healthy before it was warm, which it was not for its first 300 ms.
  for (const name of ['http', 'command', 'log']) {
    expect((await project.service(name)).ready_after_ms).toBeGreaterThanOrEqual(300)
  }
})

test('examples/dependency-test starts each service when what it needs is able to answer', async () => {
  await using harness = createHarness()
  const project = harness.example('dependency-test')
  await harness.locald(['server', 'start'])
  await using watch = harness.watch()
  await project.up()
  const order = watch.events.flatMap((event) =>
    event.type === 'service.spawned' || event.type === 'service.healthy'
      ? [`${event.service} ${event.type.slice('service.'.length)}`]
      : [],
  )
  const position = (what: string): number => order.indexOf(what)
  expect(position('migrate spawned')).toBeGreaterThan(position('db healthy'))
  expect(position('api spawned')).toBeGreaterThan(position('migrate spawned'))
  expect(position('web spawned')).toBeGreaterThan(position('api healthy'))
  expect(position('audit spawned')).toBeLessThan(position('migrate spawned'))
  expect(await project.lines('migrate')).toEqual(['migrated db'])
  expect((await project.service('web')).restarts).toBe(0)

  const stopped = await project.locald('stop', 'db')
  expect(stopped.code).toBe(0)
  expect(stopped.stdout + stopped.stderr).toMatch(/audit/u)
  expect((await project.service('api')).state).toBe('running')
})

test('examples/names-test leads each name to a server, a path of it, a site or what starts on request', async () => {
  await using harness = createHarness()
  const project = harness.example('names-test')
  await project.up()
  expect(summary(await project.status())).toEqual({
    web: 'running healthy tcp',
    api: 'running healthy tcp',
    guide: 'running healthy process',
    reports: 'idle none -',
  })
  expect(await project.lines('guide')).toContain('guide built')

  const { proxy } = await harness.serverStatus()
  const addressOf = (host: string): string => `http://${host}.localhost:${proxy?.http}`
  const answers: readonly (readonly [string, string])[] = [
    [addressOf('names-test'), `web answers /, at ${addressOf('names-test')}\n`],
    [`${addressOf('names-test')}/api/users`, `api answers /users, at ${addressOf('api.names-test')}\n`],
    [`${addressOf('api.names-test')}/users`, `api answers /users, at ${addressOf('api.names-test')}\n`],
    [`${addressOf('reports.names-test')}/x`, `reports answers /x, at ${addressOf('reports.names-test')}\n`],
  ]
  for (const [address, body] of answers) expect(await curl(address)).toMatchObject({ status: 200, body })
  expect((await curl(addressOf('guide.names-test'))).body).toContain('<h1>The guide</h1>')
  expect((await project.service('reports')).state).toBe('running')
  expect((await project.locald('url', 'guide')).stdout).toBe(`${addressOf('guide.names-test')}\n`)

  expect((await project.locald('stop')).code).toBe(0)
  expect((await curl(addressOf('names-test'))).status).toBe(503)
})

test('the locald.toml of this repository serves its documentation', async () => {
  await using harness = createHarness()
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const up = await harness.locald(['up'], { cwd: root })
  expect(up.code).toBe(0)
  const status = (await harness.locald(['status', '--json'], { cwd: root })).json<ProjectStatus>()
  const answer = await fetch(`http://127.0.0.1:${status.services[0]?.port}/ARCHITECTURE.md`)
  expect(await answer.text()).toBe(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))
})
