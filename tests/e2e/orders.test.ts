// Orders that meet: twice at once, interrupted, taken back; many services; a daemon that dies meanwhile.
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { LocaldEvent, ServerStatus } from '@locald/protocol'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { findLeftovers } from '../support/leftovers.ts'

const slow = `[services.db]
type = "worker"
command = "exec sleep 1000"
health_check = { command = "test -e ready", interval = "1s" }
[services.web]
type = "worker"
command = "exec sleep 1000"
depends_on = ["db"]
`

test('`up` twice at once, with no daemon yet, starts one keeper and each service once', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': '[services.web]\ntype = "worker"\ncommand = "echo started; exec sleep 1000"\n',
  })
  const [first, second] = await Promise.all([project.locald('up'), project.locald('up')])
  // One of them may be told that the other took over; at least one sees it through.
  expect([first.code, second.code]).toContain(0)
  for (const { code, stderr } of [first, second]) if (code !== 0) expect(stderr).toContain('superseded')
  expect(await project.lines('web')).toEqual(['started'])
  const keepers = findLeftovers({ variable: `LOCALD_HOME=${harness.home}` }).filter(({ command }) =>
    command.includes('keeper'),
  )
  expect(keepers).toHaveLength(1)
})

test('Ctrl-C during `up` detaches with 130, says so, and starting goes on', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': slow })
  const up = project.start('up')
  await project.waitFor('db', (service) => service.pid !== null)
  up.signal('SIGINT')
  const { code, stderr, stdout } = await up.ended
  expect(code).toBe(130)
  expect(stderr + stdout).toMatch(/go(es)? on|background|continue/iu)
  project.write('ready', '')
  await project.waitFor('web', (service) => service.state === 'running')
})

test('`stop` during start: the client of `up` is told, and nothing is left', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': slow })
  const up = project.start('up')
  await project.waitFor('db', (service) => service.pid !== null)
  expect((await project.locald('stop')).code).toBe(0)
  const { code, stderr } = await up.ended
  expect(code).toBe(1)
  expect(stderr).toContain('superseded')
  expect((await project.status()).services.map((service) => service.state)).toEqual(['stopped', 'stopped'])
  expect(findLeftovers({ directory: project.directory })).toEqual([])
  project.write('ready', '')
  expect((await project.service('web')).run).toBe(0)
})

test('a later `stop` is the one that counts, also while the `up` before it is still being planned', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'one: exec sleep 1000\n' })
  await project.up()
  expect((await project.locald('stop')).code).toBe(0)
  const { run } = await project.service('one')
  // Enough to read that the stop comes while it is read.
  project.write('.env', Array.from({ length: 20_000 }, (_, n) => `NAME_${n}=${n}\n`).join(''))
  const order = (kind: string) =>
    post(join(harness.home, 'run/api.sock'), '/v1/orders', {
      order: `${kind}-at-once`,
      kind,
      dir: project.directory,
      services: [],
    })
  const up = order('up')
  await up.sent
  expect(await order('stop').status).toBe(200)
  expect(await up.status).toBe(200)
  const events = (await project.locald('events', '--json')).jsonLines<LocaldEvent>()
  const ended = events.filter((event) => event.type === 'order.ended' && event.order.endsWith('-at-once'))
  expect(ended).toMatchObject([
    { kind: 'stop', outcome: 'done' },
    { kind: 'up', outcome: 'superseded' },
  ])
  expect(await project.service('one')).toMatchObject({ state: 'stopped', run })
})

test('`restart` of what is down brings it up as `up` would, with the variables given to the last one', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': '[services.web]\ntype = "worker"\ncommand = "echo $GIVEN $OF_SHELL; exec sleep 1000"\n',
  })
  await project.up('--env', 'GIVEN=kept')
  expect((await project.locald('stop')).code).toBe(0)
  expect((await harness.locald(['restart'], { cwd: project.directory, env: { OF_SHELL: 'later' } })).code).toBe(0)
  expect(await project.lines('web')).toEqual(['kept', 'kept later'])
})

test('a project can be stopped when its configuration is gone', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': '[services.web]\ntype = "worker"\ncommand = "exec sleep 1000"\n' })
  await project.up()
  rmSync(join(project.directory, 'locald.toml'))
  expect((await project.status()).services).toMatchObject([{ name: 'web', state: 'running' }])
  expect((await project.locald('stop')).code).toBe(0)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
  // Now there is nothing left that could be meant.
  expect((await project.locald('stop')).code).toBe(2)
})

test('`stop` of what there is not is a mistake, with a daemon or without', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'one: exec sleep 1000\n' })
  const empty = harness.project({})
  const stops = async (): Promise<readonly (number | null)[]> => [
    (await project.locald('stop')).code,
    (await project.locald('stop', 'nope')).code,
    (await empty.locald('stop')).code,
  ]
  const without = await stops()
  await project.up()
  expect(without).toEqual(await stops())
  expect(without).toEqual([0, 4, 2])
})

test('`restart` gives a service a new process and leaves its siblings alone', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'one: exec sleep 1000\ntwo: exec sleep 1000\n' })
  await project.up()
  const one = await project.service('one')
  const two = await project.service('two')
  expect((await project.locald('restart', 'one')).code).toBe(0)
  expect((await project.service('one')).pid).not.toBe(one.pid)
  expect((await project.service('two')).pid).toBe(two.pid)
})

test('200 services start, are healthy, and stop', { timeout: 120_000 }, async () => {
  await using harness = createHarness()
  const services = Array.from(
    { length: 200 },
    (_, index) => `[services.s${index}]\ntype = "worker"\ncommand = ["sleep", "1000"]\n`,
  )
  const project = harness.project({ 'locald.toml': services.join('') })
  await project.up()
  const { services: shown } = await project.status()
  expect(shown).toHaveLength(200)
  expect(new Set(shown.map(({ state, health }) => `${state} ${health.status}`))).toEqual(new Set(['running healthy']))
  expect(new Set(shown.map((service) => service.pid)).size).toBe(200)
  expect((await project.locald('stop')).code).toBe(0)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('a daemon that is killed is replaced; services run on and no line is lost', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'count.mjs': `let n = 0; setInterval(() => console.log('line ' + n++), 5)`,
    'locald.toml': '[services.counter]\ntype = "worker"\ncommand = "exec node count.mjs"\n',
  })
  await project.up()
  const { pid } = await project.service('counter')
  const before = await harness.serverStatus()
  for (let kill = 0; kill < 3; kill += 1) {
    const { daemon } = await harness.serverStatus()
    process.kill(daemon?.pid ?? 0, 'SIGKILL')
  }
  const after: ServerStatus = await harness.serverStatus()
  expect(after.keeper?.pid).toBe(before.keeper?.pid)
  expect(after.daemon?.pid).not.toBe(before.daemon?.pid)
  expect(await project.service('counter')).toMatchObject({ pid, state: 'running', restarts: 0 })
  expect((await project.locald('stop')).code).toBe(0)
  const lines = await project.lines('counter')
  expect(lines).toEqual(lines.map((_, index) => `line ${index}`))
  expect(lines.length).toBeGreaterThan(10)
})

test('`server stop` ends services, daemon and keeper', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'one: exec sleep 1000\n' })
  await project.up()
  expect((await harness.locald(['server', 'stop'])).code).toBe(0)
  expect(findLeftovers({ directory: project.directory, variable: `LOCALD_HOME=${harness.home}` })).toEqual([])
  // Nothing ran: still a success.
  expect((await harness.locald(['server', 'stop'])).code).toBe(0)
  expect((await project.locald('stop')).code).toBe(0)
  expect((await project.locald('status')).code).toBe(0)
})

test('what is asked while `server stop` is at work has its turn after it', async () => {
  await using harness = createHarness()
  const slow = `trap 'sleep 0.5; exit 0' TERM; echo ready; while :; do sleep 0.05; done`
  const project = harness.project({
    'locald.toml': `[services.slow]\ntype = "worker"\ncommand = ${JSON.stringify(slow)}\n`,
  })
  await project.up()
  const before = await harness.serverStatus()
  const stopping = project.start('server', 'stop')
  await stopping.waitForOutput(/stopping/u)
  const [up, start] = await Promise.all([project.locald('up'), project.locald('server', 'start')])
  expect((await stopping.ended).code).toBe(0)
  expect(up.stderr).not.toContain('error')
  expect([up.code, start.code]).toEqual([0, 0])
  expect(await project.service('slow')).toMatchObject({ state: 'running' })
  expect((await harness.serverStatus()).keeper?.pid).not.toBe(before.keeper?.pid)
})

test('orders that come during `server restart` are carried out by whoever is next', async () => {
  await using harness = createHarness()
  const projects = Array.from({ length: 4 }, () =>
    harness.project({ 'locald.toml': '[services.a]\ntype = "worker"\ncommand = "exec sleep 10000"\n' }),
  )
  await harness.locald(['server', 'start'])
  const restarts = harness.locald(['server', 'restart'])
  const ups = await Promise.all(projects.map((project) => project.locald('up')))
  expect((await restarts).code).toBe(0)
  expect(ups.map(({ code, stderr }) => [code, /error.*/u.exec(stderr)?.[0]])).toEqual(ups.map(() => [0, undefined]))
})

interface Posted {
  /** The request is on its way. */
  readonly sent: Promise<unknown>
  readonly status: Promise<number | undefined>
}

function post(socketPath: string, path: string, body: unknown): Posted {
  const headers = { 'content-type': 'application/json' }
  const asked = request({ socketPath, path, method: 'POST', headers, agent: false })
  const status = new Promise<number | undefined>((resolve, reject) => {
    asked.on('error', reject).on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode)))
  })
  const sent = once(asked, 'finish')
  asked.end(JSON.stringify(body))
  return { sent, status }
}
