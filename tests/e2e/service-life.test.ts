// What a service is besides a process that is up: tasks, replicas, watched files, schedules.
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { findLeftovers } from '../support/leftovers.ts'

const server = `import { createServer } from 'node:http'
createServer((request, response) => response.end(process.env.PS)).listen(process.env.PORT, '127.0.0.1')
`

test('examples/task-test: a task runs again only for a dependent that is about to start, or for another definition', async () => {
  await using harness = createHarness()
  const project = harness.example('task-test')
  await project.up()
  expect(await project.lines('migrate')).toEqual(['migration 1 done'])
  expect(await project.lines('web')).toEqual(['started after 1 migrations'])
  expect(await project.service('migrate')).toMatchObject({ state: 'completed', run: 1, exit: { code: 0 } })

  await project.up()
  expect((await project.service('migrate')).run).toBe(1)

  expect((await project.locald('stop', 'web')).code).toBe(0)
  await project.up()
  expect(await project.lines('migrate')).toEqual(['migration 1 done', 'migration 2 done'])
  expect(await project.lines('web')).toEqual(['started after 1 migrations', 'started after 2 migrations'])

  // The definition of something else is none of its business; its own is.
  const { run } = await project.service('web')
  const toml = project.read('locald.toml')
  project.write('locald.toml', toml.replace('echo cleaned', 'echo tidied'))
  await project.up()
  expect((await project.service('migrate')).run).toBe(2)
  project.write('locald.toml', toml.replace('node migrate.mjs', 'node migrate.mjs again'))
  await project.up()
  expect((await project.lines('migrate')).at(-1)).toBe('migration 3 done')
  expect((await project.service('web')).run).toBe(run)
})

test('examples/task-test: a task with `watch` runs again when its source changes', async () => {
  await using harness = createHarness()
  const project = harness.example('task-test')
  await project.up()
  const first = await project.service('generate')
  expect(first).toMatchObject({ state: 'completed', run: 1 })
  project.write('schema.txt', 'version 2\n')
  await project.waitFor('generate', (s) => s.run === 2 && s.state === 'completed')
  expect(await project.lines('generate')).toEqual(['generated from version 1', 'generated from version 2'])
})

test('a periodic task is scheduled, says when it runs next, runs when restarted by name, and survives the daemon', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.clean]
command = "echo cleaned; exit \${CODE:-0}"
schedule = "@yearly"
[services.web]
type = "worker"
command = "exec sleep 1000"
`,
  })
  const up = await project.up()
  expect(up.stdout).toMatch(/clean\b.*\bscheduled/u)
  const scheduled = await project.service('clean')
  const newYear = new Date(new Date().getFullYear() + 1, 0, 1).toISOString()
  expect(scheduled).toMatchObject({ type: 'task', state: 'scheduled', run: 0, next_run_at: newYear, reason: null })
  expect((await project.locald('status')).stdout).toMatch(/clean.*runs next in \d+d/u)

  expect((await project.locald('restart', 'clean')).code).toBe(0)
  expect(await project.service('clean')).toMatchObject({ state: 'scheduled', run: 1, exit: { code: 0 } })
  expect(await project.lines('clean')).toEqual(['cleaned'])
  // Of a whole project, what is scheduled waits for its moment.
  expect((await project.locald('restart')).code).toBe(0)
  expect((await project.service('clean')).run).toBe(1)

  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
  expect(await project.service('clean')).toMatchObject({ state: 'scheduled', run: 1, next_run_at: newYear })

  project.write('.env', 'CODE=3\n')
  const failing = await project.locald('restart', 'clean')
  expect(failing.code).toBe(1)
  expect(failing.stdout + failing.stderr).toContain('exited with code 3')
  expect(await project.service('clean')).toMatchObject({ state: 'scheduled', reason: 'exited with code 3' })
  const why = await project.locald('why', 'clean')
  expect(why.stdout).toMatch(/clean is scheduled for \d{4}-01-01 00:00; its last run failed: exited with code 3/u)
  expect((await project.locald('stop')).code).toBe(0)
  expect((await project.service('clean')).state).toBe('stopped')
})

test('replicas have ports and labels of their own, and are waited for all', async () => {
  await using harness = createHarness()
  const toml = (replicas: number): string => `[services.web]
type = "exec"
command = "if test $PS = web.2; then while ! test -e second; do sleep 0.05; done; fi; exec node server.mjs"
replicas = ${replicas}
[services.after]
type = "worker"
command = "echo ports $WEB_PORTS, first $WEB_PORT; exec sleep 1000"
depends_on = ["web"]
`
  const project = harness.project({ 'server.mjs': server, 'locald.toml': toml(2) })
  await harness.locald(['server', 'start'])
  await using watch = harness.watch()
  const up = project.start('up')
  await watch.waitFor(({ projects }) =>
    projects()[0]?.services.find((s) => s.name === 'web' && s.instance === 1 && s.health.status === 'healthy'),
  )
  const waiting = await project.service('after')
  expect(waiting.state).toBe('waiting')
  expect(waiting.waiting_for).toEqual([expect.objectContaining({ service: 'web.2' })])
  project.write('second', '')
  expect((await up.ended).code).toBe(0)

  const both = (await project.status()).services.filter((s) => s.name === 'web')
  expect(both.map((s) => s.instance)).toEqual([1, 2])
  expect(new Set(both.map((s) => s.port)).size).toBe(2)
  const answers = await Promise.all(both.map(async (s) => await (await fetch(`http://127.0.0.1:${s.port}/`)).text()))
  expect(answers).toEqual(['web.1', 'web.2'])
  expect(await project.lines('after')).toEqual([`ports ${both.map((s) => s.port).join(',')}, first ${both[0]?.port}`])
  const shown = await project.locald('status')
  expect(shown.stdout).toMatch(/^web\.1\b/mu)
  expect(shown.stdout).toMatch(/^web\.2\b/mu)
  expect((await project.locald('ports')).stdout).toMatch(/\d{5}\s+web\.2\b/u)

  // One of them by its label.
  expect((await project.locald('restart', 'web.2')).code).toBe(0)
  const [first, second] = (await project.status()).services.filter((s) => s.name === 'web')
  expect(first?.pid).toBe(both[0]?.pid)
  expect(second?.pid).not.toBe(both[1]?.pid)

  // More: those that run stay, and nobody is restarted.
  const after = await project.service('after')
  project.write('locald.toml', toml(3))
  await project.up()
  const three = (await project.status()).services.filter((s) => s.name === 'web')
  expect(three.map((s) => s.state)).toEqual(['running', 'running', 'running'])
  expect(three.slice(0, 2).map((s) => s.pid)).toEqual([first?.pid, second?.pid])
  expect(new Set(three.map((s) => s.port)).size).toBe(3)
  expect((await project.service('after')).pid).toBe(after.pid)

  // Fewer: the last ones go, with everything of theirs.
  project.write('locald.toml', toml(1))
  await project.up()
  const left = (await project.status()).services.filter((s) => s.name === 'web')
  expect(left.map((s) => [s.instance, s.pid])).toEqual([[1, first?.pid]])
  expect(findLeftovers({ directory: project.directory }).filter(({ pid }) => pid === second?.pid)).toEqual([])
  expect((await project.locald('status')).stdout).toMatch(/^web\s/mu)
})

test('one replica is started or stopped by its label, and no other', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': '[services.web]\ntype = "worker"\ncommand = "exec sleep 1000"\nreplicas = 2\n',
  })
  const states = async (): Promise<readonly string[]> => (await project.status()).services.map(({ state }) => state)
  expect((await project.locald('up', 'web.2')).code).toBe(0)
  expect(await states()).toEqual(['stopped', 'running'])
  await project.up()
  expect(await states()).toEqual(['running', 'running'])
  const stop = await project.locald('stop', 'web.1')
  expect(stop.stderr).toMatch(/^Stopped web\.1 in/mu)
  expect(await states()).toEqual(['stopped', 'running'])
})

test('a fixed port with replicas is an error that says so', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': '[services.web]\ncommand = "x"\nport = 3000\nreplicas = 2\n' })
  const up = await project.locald('up')
  expect(up.code).toBe(2)
  expect(up.stderr).toContain('2 replicas, which cannot share the fixed port 3000')
})

test('changed files restart a service; not those that it excludes, and not when it is stopped', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'src/a.txt': 'one',
    'src/gen/b.txt': 'one',
    'locald.toml': `[services.web]
type = "worker"
command = "echo sees $(cat src/a.txt); exec sleep 1000"
watch = ["src/**", "!src/gen/**"]
restart = "never"
[services.with]
type = "worker"
command = "exec sleep 1000"
depends_on = [{ service = "web", restart_with = true }]
[services.without]
type = "worker"
command = "exec sleep 1000"
depends_on = ["web"]
`,
  })
  await project.up()
  const before = await project.status()
  project.write('src/gen/b.txt', 'two')
  project.write('src/a.txt', 'two')
  const web = await project.waitFor('web', (s) => s.run === 2 && s.health.status === 'healthy')
  expect(web).toMatchObject({ restarts: 0, warnings: [] })
  expect(await project.lines('web')).toEqual(['sees one', 'sees two'])
  await project.waitFor('with', (s) => s.run === 2 && s.state === 'running')
  expect((await project.service('without')).pid).toBe(before.services.find((s) => s.name === 'without')?.pid)

  // A new daemon watches on.
  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
  await harness.serverStatus()
  project.write('src/a.txt', 'three')
  await project.waitFor('web', (s) => s.run === 3 && s.health.status === 'healthy')

  expect((await project.locald('stop')).code).toBe(0)
  project.write('src/a.txt', 'four')
  await project.up()
  expect((await project.service('web')).run).toBe(4)
  expect((await project.lines('web')).at(-1)).toBe('sees four')
})

test('a service that crashed is started again by the next change, without a back-off', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'app.txt': 'broken',
    'locald.toml': `[services.web]
type = "worker"
command = "grep -q fine app.txt && exec sleep 1000"
watch = ["app.txt"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  expect(await project.service('web')).toMatchObject({ state: 'failed', restarts: 4 })
  project.write('app.txt', 'fine')
  const web = await project.waitFor('web', (s) => s.state === 'running' && s.health.status === 'healthy')
  expect(web.warnings).toEqual([])
})

test('a service that writes what it watches is cut off, and says so', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "worker"
command = "sleep 0.2; date +%s%N > out.txt; exec sleep 1000"
watch = ["*.txt"]
`,
  })
  await project.locald('up', '--no-wait')
  const web = await project.waitFor('web', (s) => s.warnings.length > 0)
  expect(web.warnings[0]).toMatch(/"out\.txt" restarted it 5 times in a row/u)
  expect(web).toMatchObject({ restarts: 0 })
  const status = await project.locald('status')
  expect(status.stdout + status.stderr).toContain('out.txt')
})
