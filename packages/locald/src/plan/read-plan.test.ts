import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../config/load-config.ts'
import { examine, readPlan } from './read-plan.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rp-'))
})

afterEach(() => rmSync(dir, { recursive: true }))

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
}

/** `locald.toml:2:1 unknown-key <comand>`: what is marked of the quoted line is in angle brackets. */
async function faults(): Promise<readonly string[]> {
  const examined = await examine(await loadConfig({ dir, home: dir }), () => ({}))
  if (examined.ok) return []
  return examined.diagnostics.map(({ file, line, column, code, source, length = 1 }) => {
    const marked = source === undefined ? '' : ` <${source.slice(column - 1, column - 1 + length)}>`
    return `${file.slice(dir.length + 1)}:${line}:${column} ${code}${marked}`
  })
}

test('examine() finds what is wrong with a file and with what it plans at once, each with its line', async () => {
  write({
    'locald.toml': `[services.w]
type = "worker"
command = "sleep 1"
[services.a]
comand = "x"
command = "echo \${services.w.port}"
[services.b]
port = 4000
command = ["echo", "\${services.w}"]
health_check = { type = "http", path = "/\${services.w.port}" }
[services.c]
env = { PORT = "abc" }
command = "x"
health_check = "curl \${services.w.url}"
[services.d]
env_file = ["d.env"]
command = "x"
[routes]
"/w" = "w"
`,
    'd.env': 'A=1\nPORT=4000\n',
  })
  expect(await faults()).toEqual([
    'locald.toml:5:1 unknown-key <comand>',
    'locald.toml:6:11 reference-without-port <"echo ${services.w.port}">',
    'locald.toml:9:20 reference-unreadable <"${services.w}">',
    'locald.toml:10:40 reference-without-port <"/${services.w.port}">',
    'locald.toml:12:9 bad-port <PORT>',
    'locald.toml:14:16 reference-without-port <"curl ${services.w.url}">',
    'locald.toml:15:11 port-shared <d>',
    'locald.toml:19:1 route-without-port <"/w">',
  ])
})

test('examine() says nothing twice, and does not guess at services whose port is unclear', async () => {
  write({
    'locald.toml': `[services.a]
command = "echo \${services.nothing.port} \${services.b.prot}"
depends_on = ["b"]
port = 3000
[services.b]
command = "x"
depends_on = ["a"]
port = 3000
[services.cache]
image = "x"
container_prt = 6379
[services.e]
command = "echo \${services.cache.port}"
`,
  })
  expect(await faults()).toEqual([
    'locald.toml:2:17 unknown-service <${services.nothing.port>',
    'locald.toml:2:42 unknown-reference <${services.b.prot>',
    'locald.toml:3:15 cycle <"b">',
    'locald.toml:8:8 conflict <3000>',
    'locald.toml:11:1 unknown-key <container_prt>',
  ])
})

test('examine() takes a service that is no table for one that exists', async () => {
  write({ 'locald.toml': '[services]\nw = "sleep 1"\n[services.a]\ncommand = "echo ${services.w.port}"\n' })
  expect(await faults()).toEqual(['locald.toml:2:5 wrong-type <"sleep 1">'])
})

test('examine() reads a Procfile line of a locald.toml at its own place', async () => {
  write({
    'locald.toml': '[services.w]\ntype = "worker"\n[services.a]\n',
    Procfile: 'w: sleep 1\na: echo ${services.w.port}\n',
  })
  expect(await faults()).toEqual(['Procfile:2:4 reference-without-port <echo>'])
})

test('examine() leaves alone what a part that cannot be read may hold', async () => {
  write({ 'locald.toml': '[services.a]\ncommand = "echo ${services.w.port}"\n[services.w]\ntype = worker\n' })
  expect(await faults()).toEqual(['locald.toml:4:8 syntax <w>'])
})

test('examine() reports an env file that cannot be read along with all other faults', async () => {
  write({ 'locald.toml': '[services.a]\ncomand = "x"\ncommand = "x"\nenv_file = "gone.env"\n' })
  symlinkSync('.env', join(dir, '.env'))
  expect(await faults()).toEqual([
    'locald.toml:2:1 unknown-key <comand>',
    'locald.toml:4:12 missing-file <"gone.env">',
    '.env:1:1 env-file-unreadable',
  ])
})

test('readPlan() throws env_file_unreadable when that is all, and config_invalid with all faults otherwise', async () => {
  const refusal = async (): Promise<unknown> =>
    await readPlan(await loadConfig({ dir, home: dir }), () => ({})).catch((error: unknown) => error)
  write({ 'locald.toml': '[services.a]\ncommand = "x"\n' })
  symlinkSync('.env', join(dir, '.env'))
  expect(await refusal()).toMatchObject({ code: 'env_file_unreadable', diagnostics: [] })
  write({ 'locald.toml': '[services.a]\ncommand = "x"\nenv = { PORT = "x" }\n' })
  const both = await refusal()
  expect(both).toBeInstanceOf(LocaldError)
  expect(both).toMatchObject({
    code: 'config_invalid',
    diagnostics: [{ code: 'bad-port' }, { code: 'env-file-unreadable' }],
  })
})
