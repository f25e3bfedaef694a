// What services do to a supervisor: end at once, never listen, refuse to go, leave children, run away.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { findLeftovers } from '../support/leftovers.ts'

/** A listener of our own on a port that was free a moment ago. */
async function listen(port = 0): Promise<{ server: Server; port: number } & AsyncDisposable> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

async function freePort(): Promise<number> {
  await using listener = await listen()
  return listener.port
}

test('a service that exits at once: up fails with its exit code and its last lines', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
command = "echo first; echo the disk is made of cheese; exit 3"
type = "exec"
restart = "never"
`,
  })
  const up = await project.locald('up')
  expect(up.code).toBe(1)
  expect(up.stdout + up.stderr).toMatch(/exited with code 3/u)
  expect(up.stdout + up.stderr).toContain('the disk is made of cheese')
  expect(await project.service('web')).toMatchObject({
    state: 'failed',
    restarts: 0,
    pid: null,
    exit: { code: 3, signal: null },
  })
})

test('a service that crashes again and again is given up after five crashes', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': '[services.web]\ntype = "exec"\ncommand = "echo crash; exit 1"\n',
  })
  const up = await project.locald('up')
  expect(up.code).toBe(1)
  const web = await project.service('web')
  expect(web).toMatchObject({ state: 'failed', restarts: 4 })
  expect(web.reason).toMatch(/5 crashes/u)
  expect((await project.lines('web')).filter((line) => line === 'crash')).toHaveLength(5)
})

test('what depends on a failed service fails at once, and names it', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
type = "exec"
command = "exit 1"
restart = "never"
[services.api]
type = "worker"
command = "exec sleep 1000"
depends_on = ["db"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const api = await project.service('api')
  expect(api).toMatchObject({ state: 'failed', run: 0, pid: null })
  expect(api.reason).toContain('db')
})

test('a service that never listens is unhealthy after start_timeout, and runs on', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "exec"
command = "exec sleep 1000"
start_timeout = "500ms"
[services.after]
type = "worker"
command = "exec sleep 1000"
depends_on = ["web"]
`,
  })
  const up = await project.locald('up')
  expect(up.code).toBe(1)
  const web = await project.service('web')
  expect(web.health).toMatchObject({ status: 'unhealthy', source: 'tcp' })
  expect(() => process.kill(web.pid ?? 0, 0)).not.toThrow()
  const after = await project.service('after')
  expect(after).toMatchObject({ state: 'waiting', run: 0 })
  expect(after.waiting_for).toEqual([expect.objectContaining({ service: 'web', condition: 'healthy' })])
  expect(up.stdout + up.stderr).toContain(String(web.port))
})

test('a fixed port that somebody holds: nothing is started, and the holder is named', async () => {
  await using harness = createHarness()
  await using held = await listen()
  const project = harness.project({
    'locald.toml': `[services.web]\ncommand = "touch started; exec sleep 1000"\nport = ${held.port}\n`,
  })
  const up = await project.locald('up')
  expect(up.code).toBe(1)
  expect(up.stderr).toContain(String(held.port))
  expect(up.stderr).toContain(String(process.pid))
  expect(() => readFileSync(join(project.directory, 'started'))).toThrow('ENOENT')
})

test("somebody else's listener on a service's port is reported and never healthy", async () => {
  await using harness = createHarness()
  const port = await freePort()
  const project = harness.project({
    'locald.toml': `[services.web]\ncommand = "echo running; exec sleep 1000"\nport = ${port}\n`,
  })
  expect((await project.locald('up', '--no-wait')).code).toBe(0)
  await project.waitFor('web', (service) => service.pid !== null)
  await using _held = await listen(port)
  const web = await project.waitFor('web', (service) =>
    [service.health.message ?? '', ...service.warnings].some((text) => text.includes(String(process.pid))),
  )
  expect(web.health.status).not.toBe('healthy')
  expect(web.ready_after_ms).toBeNull()
})

test('a service that ignores its stop signal is killed after stop_timeout', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "worker"
command = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
stop_timeout = "500ms"
`,
  })
  await project.up()
  const started = Date.now()
  const stop = await project.locald('stop')
  expect(stop.code).toBe(0)
  expect(Date.now() - started).toBeGreaterThanOrEqual(500)
  const web = await project.service('web')
  expect(web).toMatchObject({ state: 'stopped', exit: { code: null, signal: 'SIGKILL' } })
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('a child that ignores HUP and TERM outlives its leader, but not stop', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'linger.mjs': `process.on('SIGHUP', () => {}); process.on('SIGTERM', () => {}); console.log('lingering'); setInterval(() => {}, 1000)`,
    'locald.toml': `[services.web]
type = "worker"
command = "node linger.mjs & while ! test -e go; do sleep 0.05; done; exit 1"
restart = "never"
stop_timeout = "500ms"
[services.polite]
type = "worker"
command = "node linger.mjs & trap 'exit 0' TERM; while :; do sleep 0.05; done"
stop_timeout = "500ms"
`,
  })
  await project.up()
  await expect.poll(() => project.lines('web'), { timeout: 10_000, interval: 100 }).toContain('lingering')
  await expect.poll(() => project.lines('polite'), { timeout: 10_000, interval: 100 }).toContain('lingering')
  project.write('go', '')
  await project.waitFor('web', (service) => service.state === 'failed')

  const stop = await project.locald('stop')
  expect(stop.code).toBe(0)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('a child that double-forks into its own session with an empty environment does not outlive stop', async () => {
  await using harness = createHarness()
  const project = harness.project({})
  const pidFile = join(project.directory, 'pid')
  writeFileSync(
    join(project.directory, 'escape.mjs'),
    `import { writeFileSync } from 'node:fs'
process.chdir('/')
writeFileSync(${JSON.stringify(pidFile)}, String(process.pid))
setInterval(() => {}, 1000)`,
  )
  const escape = join(project.directory, 'escape.mjs')
  project.write(
    'locald.toml',
    `[services.web]
type = "worker"
command = "(env -i setsid ${process.execPath} ${escape} </dev/null >/dev/null 2>&1 &) ; exec sleep 1000"
`,
  )
  await project.up()
  await expect.poll(() => readFileSync(pidFile, 'utf8'), { timeout: 10_000, interval: 50 }).toMatch(/^\d+$/u)
  const pid = Number(readFileSync(pidFile, 'utf8'))
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('')

  expect((await project.locald('stop')).code).toBe(0)
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

test('a command that does not exist, with and without a shell', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.shell]
type = "worker"
command = "no-such-program-7 --flag"
restart = "never"
[services.direct]
type = "worker"
command = ["no-such-program-8", "--flag"]
restart = "never"
`,
  })
  const up = await project.locald('up')
  expect(up.code).toBe(1)
  expect(await project.service('shell')).toMatchObject({ state: 'failed', exit: { code: 127 } })
  const direct = await project.service('direct')
  expect(direct.state).toBe('failed')
  expect(direct.reason).toContain('no-such-program-8')
})

test('a workdir that is not there is reported by name, and the others start', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "worker"
command = "exec sleep 1000"
workdir = "frontend"
[services.other]
type = "worker"
command = "exec sleep 1000"
`,
  })
  const up = await project.locald('up')
  expect(up.code).not.toBe(0)
  expect(up.stdout + up.stderr).toContain('frontend')
  expect(findLeftovers({ directory: join(project.directory, 'frontend') })).toEqual([])
})

test('a program in a shell finishes what it does on its stop signal, on a terminal and on pipes', async () => {
  await using harness = createHarness()
  const command = 'cd . && node tidy.mjs'
  const project = harness.project({
    'tidy.mjs': `const timer = setInterval(() => {}, 1000)
process.once('SIGTERM', () => setTimeout(() => { console.log('tidied up'); clearInterval(timer) }, 300))
console.log('ready')`,
    'locald.toml': `[services.terminal]
type = "worker"
command = "${command}"
[services.pipes]
type = "worker"
command = "${command}"
tty = false
`,
  })
  await project.up()
  expect((await project.locald('stop')).code).toBe(0)
  for (const name of ['terminal', 'pipes']) {
    expect(await project.lines(name)).toEqual(['ready', 'tidied up'])
    expect((await project.service(name)).exit).toMatchObject({ code: 0, signal: null })
  }
})
