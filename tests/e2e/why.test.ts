// Broken projects: the first three lines of `locald why` name the real cause.
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import type { WhyAnswer } from '@locald/protocol'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Project } from '../support/harness.ts'

/** A listener of somebody else. */
async function stranger(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

interface Answer {
  /** The first three lines. */
  readonly top: string
  readonly whole: string
}

async function why(project: Project, service: string): Promise<Answer> {
  const { code, stdout } = await project.locald('why', service)
  expect(code).toBe(0)
  // One screen.
  expect(stdout.split('\n').length).toBeLessThan(45)
  return { top: stdout.split('\n').slice(0, 3).join('\n'), whole: stdout }
}

const answering = (answer: string): string => `import { createServer } from 'node:http'
createServer((request, response) => { ${answer} }).listen(process.env.PORT, '127.0.0.1')
`
const sleeper = 'type = "worker"\ncommand = "exec sleep 1000"\n'

test('a command that is not there, with a shell and without', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.shell]
type = "worker"
command = "echo setting up; expres-server --port 1"
[services.direct]
type = "worker"
command = ["expres-server", "--port", "1"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  for (const name of ['shell', 'direct']) {
    const { top } = await why(project, name)
    expect(top).toContain(`${name} has failed`)
    expect(top).toMatch(/expres-server.*(?:not found|is not on the PATH)/u)
    expect(top).toMatch(/→ Install "expres-server", or correct the command \(locald\.toml:\d+\)/u)
  }
})

test('a missing module: the error above the stack trace, not the stack', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': `console.log('booting')\nawait import('left-pad-of-doom')\n`,
    'relative.cjs': `require('./config/secret')\n`,
    'locald.toml': `[services.web]
type = "exec"
command = "node server.mjs"
restart = "never"
[services.relative]
type = "worker"
command = "node relative.cjs"
restart = "never"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const web = await why(project, 'web')
  expect(web.top).toContain('web has failed: exited with code 1')
  expect(web.top).toContain("Cannot find package 'left-pad-of-doom'")
  expect(web.top).toContain('→ Install its packages: npm install')
  expect(web.whole).toContain('Last lines')
  const relative = await why(project, 'relative')
  expect(relative.top).toContain("Cannot find module './config/secret'")
  expect(relative.top).toContain('→ Correct that path')
})

test('a port that somebody else holds: told by the service, and by locald', async () => {
  await using harness = createHarness()
  await using other = await stranger()
  const project = harness.project({
    'server.mjs': `import { createServer } from 'node:http'
createServer().listen(${other.port}, '127.0.0.1')
`,
    'locald.toml': `[services.own]
type = "exec"
command = "node server.mjs"
restart = "never"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const own = await why(project, 'own')
  expect(own.top).toContain('EADDRINUSE')
  expect(own.top).toContain(`→ End pid ${process.pid}`)
  expect(own.top).toContain(`port ${other.port}`)

  // A fixed port: `up` starts nothing, and `why` knows it all the same.
  const fixed = harness.project({
    'locald.toml': `[services.fixed]\ncommand = "exec sleep 1000"\nport = ${other.port}\n`,
  })
  expect((await fixed.locald('up')).code).toBe(1)
  const { top } = await why(fixed, 'fixed')
  expect(top).toContain(`fixed is stopped: its port is taken by pid ${process.pid}`)
  expect(top).toContain(String(other.port))
})

test('it listens on another port, with port_discovery off', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': `import { createServer } from 'node:http'
createServer().listen(0, '127.0.0.1', function () { console.log('listening on ' + this.address().port) })
`,
    'locald.toml': '[services.web]\ntype = "exec"\ncommand = "node server.mjs"\nport_discovery = "off"\n',
  })
  expect((await project.locald('up')).code).toBe(1)
  const found = /\d+/u.exec((await project.lines('web'))[0] ?? '')?.[0]
  const { top } = await why(project, 'web')
  expect(top).toMatch(
    new RegExp(`web runs, and did not become healthy: Listens on port ${found}, not on port \\d+`, 'u'),
  )
  expect(top).toContain(`→ Set port = ${found}`)
})

test('nothing listens when its start_timeout is over', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "exec"
command = "echo compiling for ever; exec sleep 1000"
start_timeout = "300ms"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { port } = await project.service('web')
  const { top } = await why(project, 'web')
  expect(top).toContain(`web runs, and did not become healthy: Does not listen on port ${port}`)
  expect(top).toContain('→ Let it listen on $PORT')
})

test('an http check that is answered with 500: the status, and what the answer says', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': answering(`response.statusCode = 500; response.end('Error: relation "users" does not exist')`),
    'locald.toml': `[services.web]
command = "node server.mjs"
health_check = { type = "http", path = "/health" }
start_timeout = "1s"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top, whole } = await why(project, 'web')
  expect(top).toMatch(/GET \/health on port \d+ answered 500/u)
  expect(top).toContain('relation "users" does not exist')
  expect(whole).toMatch(/http: GET \/health/u)
})

test('an http check that is answered with 404', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': answering(`response.statusCode = request.url === '/healthz' ? 200 : 404; response.end()`),
    'locald.toml': `[services.web]
command = "node server.mjs"
health_check = { type = "http", path = "/health" }
start_timeout = "1s"
[services.after]
${sleeper}depends_on = ["web"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'web')
  expect(top).toMatch(/GET \/health on port \d+ answered 404/u)
  expect(top).toContain('→ Correct "path" of its health_check (locald.toml:1)')
  const after = await why(project, 'after')
  expect(after.top).toMatch(
    /after is waiting, because web runs, and did not become healthy: GET \/health .* answered 404/u,
  )
})

test('an http check that expects another status', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': answering(`response.end()`),
    'locald.toml': `[services.web]
command = "node server.mjs"
health_check = { type = "http", path = "/", status = 204 }
start_timeout = "1s"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'web')
  expect(top).toMatch(/GET \/ on port \d+ answered 200, expected 204/u)
  expect(top).toContain('→ Correct "path" or "status" of its health_check (locald.toml:1), or let it answer otherwise')
  expect(top).not.toContain('Let it listen')
})

test('a command check that fails: its exit code, its output, and how to run it by hand', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
${sleeper}health_check = "echo checking; echo 'psql: connection to server failed: no pg_hba.conf entry'; exit 2"
start_timeout = "500ms"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'db')
  expect(top).toContain('db runs, and did not become healthy: The health check exited with code 2')
  expect(top).toContain('no pg_hba.conf entry')
  expect(top).toContain('→ Run the check by hand: locald run db -- ')
})

test('a dependency three levels down that failed', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.db]
type = "worker"
command = "echo 'FATAL: data directory \\"/var/db\\" has wrong ownership'; echo 'HINT: ask somebody'; exit 1"
restart = "never"
[services.auth]
${sleeper}depends_on = ["db"]
[services.api]
${sleeper}depends_on = ["auth"]
[services.web]
${sleeper}depends_on = ["api"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top, whole } = await why(project, 'web')
  expect(top).toContain('web has failed, because db has failed: exited with code 1')
  expect(top).toContain('db | FATAL: data directory "/var/db" has wrong ownership')
  expect(whole).toMatch(/web failed.*\n.*api failed.*\n.*auth failed.*\n.*db failed/u)
  expect(whole).toContain('locald why db')
})

test('a crash loop that was given up, and one that goes on', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'app.mjs': `console.log('connecting')
setTimeout(() => { throw new TypeError("Cannot read properties of undefined (reading 'url')") }, 20)
`,
    'locald.toml': `[services.web]
type = "worker"
command = "node app.mjs"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'web')
  expect(top).toContain('web has failed: exited with code 1; given up after 5 crashes within 60s')
  expect(top).toContain("TypeError: Cannot read properties of undefined (reading 'url')")

  await project.locald('up', '--no-wait')
  await project.waitFor('web', (s) => s.state === 'backoff' && s.restarts >= 2)
  const again = await why(project, 'web')
  expect(again.top).toMatch(/web (?:has ended, and is about to be started again|is starting|has failed)/u)
})

test('a variable that is not set', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "worker"
command = "echo starting; : \${PAYMENT_API_KEY:?is not set}; exec sleep 1000"
restart = "never"
[services.ruby]
type = "worker"
command = "echo \\"KeyError: key not found: 'SMTP_HOST'\\" >&2; exit 1"
restart = "never"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'web')
  expect(top).toContain('web has failed: exited with code 2')
  expect(top).toMatch(/PAYMENT_API_KEY: is not set/u)
  expect(top).toContain('→ Set PAYMENT_API_KEY in .env')
  expect((await why(project, 'ruby')).top).toContain('→ Set SMTP_HOST in .env')
})

test('a migration that failed', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.migrate]
type = "task"
command = "echo applying 001; echo applying 002; echo 'ERROR:  column \\"email\\" of relation \\"users\\" already exists'; exit 3"
[services.web]
${sleeper}depends_on = ["migrate"]
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'web')
  expect(top).toContain('web has failed, because migrate has failed: exited with code 3')
  expect(top).toContain('migrate | ERROR:  column "email" of relation "users" already exists')

  // Once it is well, what failed because of it only has to be started.
  project.write(
    'locald.toml',
    `[services.migrate]\ntype = "task"\ncommand = "true"\n[services.web]\n${sleeper}depends_on = ["migrate"]\n`,
  )
  expect((await project.locald('restart', 'migrate')).code).toBe(0)
  expect((await why(project, 'web')).top).toContain('→ Start it again: locald up web')
})

test('an env file that cannot be read', async () => {
  await using harness = createHarness()
  const project = harness.project({
    '.env.web': 'A=1\n',
    'locald.toml': `[services.web]
type = "worker"
command = "while ! test -e go; do sleep 0.05; done; exit 1"
env_file = ".env.web"
`,
  })
  expect((await project.locald('up', '--no-wait')).code).toBe(0)
  await project.waitFor('web', (s) => s.state === 'running' || s.state === 'starting')
  project.remove('.env.web')
  project.write('.env.web/oops', '')
  project.write('go', '')
  await project.waitFor('web', (s) => s.state === 'failed')
  const { top } = await why(project, 'web')
  expect(top).toContain(
    `web has failed: Cannot read the env file "${join(project.directory, '.env.web')}": it is a directory`,
  )
  expect(top).toContain('→ Put that file right')
})

test('a working directory that is not there, and a script that is not executable', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'run.sh': '#!/bin/sh\nexec sleep 1000\n',
    'locald.toml': `[services.web]
type = "worker"
command = "exec sleep 1000"
workdir = "frontend"
[services.script]
type = "worker"
command = ["./run.sh"]
`,
  })
  chmodSync(join(project.directory, 'run.sh'), 0o644)
  expect((await project.locald('up')).code).toBe(1)
  const web = await why(project, 'web')
  expect(web.top).toContain(
    `web has failed: The working directory "${join(project.directory, 'frontend')}" does not exist`,
  )
  expect(web.top).toContain('→ Create that directory, or correct "workdir" (locald.toml:1)')
  const script = await why(project, 'script')
  expect(script.top).toContain('run.sh" is not executable')
  expect(script.top).toContain('chmod +x')
})

test('a log line that never comes', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "worker"
command = "echo Server is up; exec sleep 1000"
health_check = { type = "log", pattern = "ready on" }
start_timeout = "500ms"
`,
  })
  expect((await project.locald('up')).code).toBe(1)
  const { top } = await why(project, 'web')
  expect(top).toContain('No line of the output matched "ready on" yet')
})

test('what is well says so, what was never started too, and --json has the same', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]\n${sleeper}replicas = 2\n[services.other]\n${sleeper}`,
  })
  expect((await why(project, 'web')).top).toContain('is stopped')
  await project.up('web')
  expect((await why(project, 'web')).top).toContain('web.1 is running and healthy (process)')
  expect((await why(project, 'web.2')).top).toContain('web.2 is running and healthy (process)')
  expect((await why(project, 'other')).top).toMatch(
    /other is stopped: it has not been started\n→ Start it: locald up other/u,
  )
  const answer = (await project.locald('why', 'other', '--json')).json<WhyAnswer>()
  expect(answer).toMatchObject({ service: 'other', summary: 'other is stopped: it has not been started' })
  expect((await project.locald('why', 'othr')).code).toBe(4)
})
