// What comes after the first success: failures, recovery, restarts.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LocaldEvent, ServiceEvent } from '@locald/protocol'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'

const timing = 'interval = "200ms", retries = 2'

function transitions(events: readonly LocaldEvent[], service: string): readonly string[] {
  return events
    .filter((event): event is ServiceEvent => 'service' in event && event.service === service)
    .map(({ type }) => type.slice('service.'.length))
    .filter((type) => type === 'healthy' || type === 'unhealthy' || type === 'stopping' || type === 'backoff')
}

test('healthy, unhealthy after so many failures, healthy again: events, with the output of the check', async () => {
  await using harness = createHarness()
  const project = harness.project({
    fine: '',
    'locald.toml': `[services.db]
type = "worker"
command = "exec sleep 1000"
health_check = { command = "cat fine || { echo the disk is full; exit 4; }", ${timing} }
[services.web]
type = "worker"
command = "exec sleep 1000"
depends_on = ["db"]
`,
  })
  await harness.locald(['server', 'start'])
  await using watch = harness.watch()
  await project.up()
  const web = await project.service('web')
  project.remove('fine')
  const broken = await project.waitFor('db', (s) => s.health.status === 'unhealthy')
  expect(broken).toMatchObject({
    state: 'running',
    health: { source: 'command', message: expect.stringContaining('code 4') },
  })
  const why = await project.locald('why', 'db')
  expect(why.stdout).toContain('the disk is full')
  // What it says now, not what it said first.
  project.write('locald.toml', project.read('locald.toml').replace('the disk is full', 'the disk is worn out'))
  expect((await project.locald('up', '--no-wait')).code).toBe(0)
  await expect.poll(async () => (await project.locald('why', 'db')).stdout, { timeout: 10_000 }).toContain('worn out')
  expect((await project.service('db')).run).toBe(1)

  project.write('fine', '')
  await project.waitFor('db', (s) => s.health.status === 'healthy')
  expect(transitions(watch.events, 'db')).toEqual(['healthy', 'unhealthy', 'healthy'])
  expect((await project.service('web')).pid).toBe(web.pid)
})

test('one failure less than `retries` changes nothing, and `start_period` lets failures pass', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
type = "worker"
command = "exec sleep 1000"
health_check = { command = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count; test $n -eq 0 -o $n -gt 2", interval = "200ms", retries = 3 }
[services.slow]
type = "worker"
command = "exec sleep 1000"
health_check = { command = "echo x >> tries; test $(wc -l < tries) -eq 1 -o $(wc -l < tries) -gt 6", interval = "100ms", retries = 2, start_period = "30s" }
`,
  })
  await harness.locald(['server', 'start'])
  await using watch = harness.watch()
  await project.up()
  await expect.poll(() => Number(project.read('count')), { timeout: 20_000 }).toBeGreaterThan(5)
  await expect.poll(() => project.read('tries').length, { timeout: 20_000 }).toBeGreaterThan(16)
  expect(transitions(watch.events, 'db')).toEqual(['healthy'])
  expect(transitions(watch.events, 'slow')).toEqual(['healthy'])
})

test('on_unhealthy = "restart" restarts it; dependents run on, but for those with restart_with', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
type = "worker"
command = "touch fine; exec sleep 1000"
health_check = { command = "test -e fine", ${timing} }
on_unhealthy = "restart"
[services.with]
type = "worker"
command = "exec sleep 1000"
depends_on = [{ service = "db", restart_with = true }]
[services.without]
type = "worker"
command = "exec sleep 1000"
depends_on = ["db"]
`,
  })
  await project.up()
  const before = await project.status()
  project.remove('fine')
  const db = await project.waitFor('db', (s) => s.run === 2 && s.health.status === 'healthy')
  expect(db).toMatchObject({ restarts: 1, state: 'running' })
  await project.waitFor('with', (s) => s.run === 2 && s.state === 'running')
  const after = await project.status()
  const pidOf = (status: typeof after, name: string): unknown => status.services.find((s) => s.name === name)?.pid
  expect(pidOf(after, 'without')).toBe(pidOf(before, 'without'))
  expect(pidOf(after, 'with')).not.toBe(pidOf(before, 'with'))
})

test('a service that is late becomes healthy all the same, and those that wait for it go on', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
type = "worker"
command = "exec sleep 1000"
health_check = { command = "test -e fine", ${timing} }
start_timeout = "300ms"
[services.web]
type = "worker"
command = "exec sleep 1000"
depends_on = ["db"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  expect(await project.service('db')).toMatchObject({ state: 'starting', health: { status: 'unhealthy' } })
  const web = await project.service('web')
  expect(web).toMatchObject({
    state: 'waiting',
    waiting_for: [{ service: 'db', reason: expect.stringContaining('code 1') }],
  })
  project.write('fine', '')
  await project.waitFor('web', (s) => s.health.status === 'healthy')
})

test('a service that opens its port long before it can serve is healthy when its check says so, and not before', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'api.mjs': `import { createServer } from 'node:http'
let canServe = false
createServer((request, response) => {
  console.log(request.url + (canServe ? ' served' : ' refused'))
  response.writeHead(canServe ? 200 : 503).end()
}).listen(process.env.PORT, '127.0.0.1', () => {
  console.log('listens')
  setTimeout(() => { canServe = true }, 3000)
})
`,
    'web.mjs': `const { status } = await fetch(process.env.API + '/web')
console.log('api answers ' + status)
setInterval(() => undefined, 1000)
`,
    'locald.toml': `[services.api]
command = "exec node api.mjs"
health_check = { type = "http", path = "/health" }
[services.web]
type = "worker"
command = "exec node web.mjs"
env = { API = "http://127.0.0.1:\${services.api.port}" }
depends_on = [{ service = "api", condition = "healthy" }]
`,
  })
  await harness.locald(['server', 'start'])
  await using watch = harness.watch()
  await project.up()
  await watch.waitFor(({ events }) => events.find((e) => e.type === 'service.healthy' && e.service === 'web'))
  const order = watch.events.flatMap((event) =>
    event.type === 'service.spawned' || event.type === 'service.healthy' ? [`${event.service} ${event.type}`] : [],
  )
  expect(order).toEqual(['api service.spawned', 'api service.healthy', 'web service.spawned', 'web service.healthy'])
  const lines = await project.lines('api')
  const served = lines.indexOf('/health served')
  expect(lines.slice(0, served)).toEqual(['listens', ...lines.slice(1, served).map(() => '/health refused')])
  expect(served).toBeGreaterThan(1)
  expect(lines.indexOf('/web served')).toBeGreaterThan(served)
  expect(await project.lines('web')).toEqual(['api answers 200'])
})

test('a check that takes longer than its timeout has failed', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
type = "worker"
command = "exec sleep 1000"
health_check = { command = "echo thinking; test ! -e slow || sleep 30", interval = "100ms", timeout = "200ms", retries = 1 }
`,
  })
  await project.up()
  project.write('slow', '')
  const db = await project.waitFor('db', (s) => s.health.status === 'unhealthy')
  expect(db.health.message).toContain('longer than 200 ms')
  expect((await project.locald('why', 'db')).stdout).toContain('thinking')
})

test('the next daemon checks in the same environment, and for want of an env file says so until it is back', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'own.env': 'FROM_FILE=yes\n',
    'locald.toml': `[services.web]
command = "exec python3 -m http.server --bind 127.0.0.1 $PORT"
env_file = "own.env"
env = { BUNDLE = "\${locald.ca_bundle}" }
health_check = { command = "test $FROM_FILE = yes && env | sort > seen.new && mv seen.new seen", ${timing} }
`,
  })
  await project.up()
  const before = variablesIn(project.read('seen'))
  expect(before).toEqual(expect.objectContaining({ NODE_EXTRA_CA_CERTS: expect.stringMatching(/./u) }))
  expect(before['BUNDLE']).toMatch(/./u)

  project.remove('seen')
  await killDaemon(harness)
  await expect.poll(() => existsSync(join(project.directory, 'seen')), { timeout: 10_000 }).toBe(true)
  expect(variablesIn(project.read('seen'))).toEqual(before)

  project.remove('own.env')
  await killDaemon(harness)
  const blind = await project.waitFor('web', (s) => s.health.status === 'unhealthy')
  expect(blind).toMatchObject({ state: 'running', run: 1, health: { source: 'command' } })
  expect(blind.health.message).toContain('Cannot read the env file')
  expect((await project.locald('why', 'web')).stdout).toContain('own.env')
  project.write('own.env', 'FROM_FILE=yes\n')
  await project.waitFor('web', (s) => s.health.status === 'healthy')
})

async function killDaemon(harness: Harness): Promise<void> {
  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
}

/** But for what each check has of its own. */
function variablesIn(text: string): Readonly<Record<string, string>> {
  const entries = text.split('\n').map((line) => line.split(/=(.*)/su).slice(0, 2))
  return Object.fromEntries(entries.filter(([name]) => !['', '_', 'SHLVL', 'LOCALD_RUN'].includes(name ?? '')))
}
