// Wrong configurations are refused whole, with places; right ones are taken over while everything runs.
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Diagnostic } from '@locald/protocol'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'

interface CheckAnswer {
  readonly file: string
  readonly format: string
  readonly project: string
  readonly services: readonly { readonly name: string; readonly type: string; readonly depends_on: readonly string[] }[]
  readonly diagnostics: readonly Diagnostic[]
}

const tenMistakes = `[project]
nmae = "shop"

[services.web]
comand = "npm run dev"
port = "three thousand"
stop_signal = "SIGTREM"
restart = "sometimes"
depends_on = ["ap"]

[services.api]
command = 7
start_timeout = "soon"
replicas = -1

[services.db]
command = "true"
health_check = { type = "htpp" }
`

test('ten mistakes are reported at once, each at its place, and nothing is started', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': tenMistakes })

  const check = await project.locald('check', '--json')
  expect(check.code).toBe(2)
  const { diagnostics } = check.json<CheckAnswer>()
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error')
  expect(errors.map((error) => error.line).sort((a, b) => a - b)).toEqual([2, 5, 6, 7, 8, 9, 12, 13, 14, 18])
  for (const error of errors) expect(error).toMatchObject({ file: join(project.directory, 'locald.toml') })
  const hintAt = (line: number): string | undefined => errors.find((error) => error.line === line)?.hint
  expect(hintAt(2)).toContain('name')
  expect(hintAt(5)).toContain('command')
  expect(hintAt(7)).toContain('SIGTERM')
  expect(hintAt(9)).toContain('api')
  expect(hintAt(18)).toContain('http')

  const up = await project.locald('up')
  expect(up.code).toBe(2)
  expect(up.stderr).toContain('locald.toml:5:')
  expect(up.stderr).toContain('comand = "npm run dev"')
  expect((await harness.locald(['status', '--json'], { cwd: project.directory })).stdout).not.toContain('"running"')
})

test('a variable that nobody sets is a warning of check, of up and of restart', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.w]\ntype = "worker"\ncommand = "sleep 1000"\nreplicas = 2\nenv = { MISS = "\${NOT_SET}" }\n`,
  })
  const checked = await project.locald('check', '--json')
  expect(checked.code).toBe(0)
  expect(checked.json<CheckAnswer>().diagnostics).toMatchObject([
    { severity: 'warning', line: 5, message: expect.stringContaining('"NOT_SET", which is not set') },
  ])
  await project.up()
  const warned = [expect.stringContaining('locald.toml:5: "MISS" refers to "NOT_SET"')]
  expect((await project.status()).warnings).toEqual(warned)
  await project.locald('restart')
  expect((await project.status()).warnings).toEqual(warned)
  await project.locald('restart', 'w.1')
  expect((await project.status()).warnings).toEqual(warned)
})

test('a cycle is named in full', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.a]
command = "true"
depends_on = ["b"]
[services.b]
command = "true"
depends_on = ["c"]
[services.c]
command = "true"
depends_on = ["a"]
`,
  })
  const up = await project.locald('up')
  expect(up.code).toBe(2)
  expect(up.stderr).toMatch(/a\W+b\W+c\W+a|b\W+c\W+a\W+b|c\W+a\W+b\W+c/u)
})

test('a service that depends on itself by a reference to its own port is allowed, a missing sibling is not', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.a]
type = "exec"
command = "true"
env = { OWN = "\${services.a.url}" }
[services.b]
command = "true"
env = { OTHER = "\${services.nobody.url}" }
`,
  })
  const { diagnostics } = (await project.locald('check', '--json')).json<CheckAnswer>()
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error')
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatchObject({ line: 7 })
  expect(errors[0]?.message).toContain('nobody')
})

test('an unreadable .env is an error that names it, before anything starts', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': '[services.web]\ntype = "worker"\ncommand = "exec sleep 1000"\n' })
  // Root may read every file; nobody can follow a link to itself.
  symlinkSync('.env', join(project.directory, '.env'))
  const up = await project.locald('up')
  expect(up.code).toBe(2)
  expect(up.stderr).toContain('.env')
})

test('a missing configuration is exit code 2, a service that is not there 4', async () => {
  await using harness = createHarness()
  const empty = harness.project({})
  expect((await empty.locald('up')).code).toBe(2)
  const project = harness.project({ Procfile: 'worker: exec sleep 1000\n' })
  const up = await project.locald('up', 'wroker')
  expect(up.code).toBe(4)
  expect(up.stderr).toContain('worker')
})

test('a type of a later issue is refused by name before anything starts', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.web]
type = "worker"
command = "exec sleep 1000"
[services.db]
type = "postgres"
`,
  })
  expect((await project.locald('check')).code).toBe(0)
  const up = await project.locald('up')
  expect(up.code).toBe(2)
  expect(up.stderr).toMatch(/db.*postgres|postgres.*db/u)
  expect((await project.locald('status', '--json')).stdout).not.toContain('"running"')
})

test('an edit restarts only what changed, starts what is new and removes what is gone', async () => {
  await using harness = createHarness()
  const worker = (name: string, more = ''): string =>
    `[services.${name}]\ntype = "worker"\ncommand = "exec sleep 1000"\n${more}`
  const project = harness.project({ 'locald.toml': worker('kept') + worker('changed') + worker('gone') })
  await project.up()
  const before = await project.status()
  const pidBefore = (name: string): number | null | undefined =>
    before.services.find((service) => service.name === name)?.pid

  project.write(
    'locald.toml',
    worker('kept', 'stop_timeout = "5s"\n') + worker('changed', 'env = { A = "1" }\n') + worker('new'),
  )
  // The edit alone does nothing.
  expect((await project.status()).services.map((service) => service.pid)).toEqual(
    before.services.map((service) => service.pid),
  )
  await project.up()
  const after = await project.status()
  expect(after.services.map((service) => service.name).sort()).toEqual(['changed', 'kept', 'new'])
  expect((await project.service('kept')).pid).toBe(pidBefore('kept'))
  expect((await project.service('changed')).pid).not.toBe(pidBefore('changed'))
  expect(() => process.kill(pidBefore('gone') ?? 0, 0)).toThrow('ESRCH')
})

test('an edit with a mistake is refused, and what runs goes on', async () => {
  await using harness = createHarness()
  const good = '[services.web]\ntype = "worker"\ncommand = "exec sleep 1000"\n'
  const project = harness.project({ 'locald.toml': good })
  await project.up()
  const { pid } = await project.service('web')
  project.write('locald.toml', `${good}restrat = "never"\n`)
  expect((await project.locald('up')).code).toBe(2)
  expect((await project.locald('restart')).code).toBe(2)
  expect(await project.service('web')).toMatchObject({ pid, state: 'running' })
  expect((await project.locald('stop')).code).toBe(0)
})

test('check and env work without a daemon and start none', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'web: node server.js\nrelease: true\n' })
  const check = await project.locald('check', '--json')
  expect(check.code).toBe(0)
  expect(check.json<CheckAnswer>()).toMatchObject({
    file: join(project.directory, 'Procfile'),
    format: 'procfile',
    services: [
      { name: 'web', depends_on: ['release'] },
      { name: 'release', type: 'task' },
    ],
  })
  expect((await project.locald('env', 'web', '--json')).code).toBe(0)
  const server = await harness.serverStatus()
  expect(server).toEqual({ daemon: null, keeper: null, proxy: null })
})
