import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Diagnostic } from '@locald/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Config, ServiceConfig } from './config.ts'
import { loadConfig } from './load-config.ts'

let dir = ''
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'locald-config-')))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

interface Loaded {
  readonly config: Config | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/** Loads from the test's directory, which is its own home: the walk never leaves it. */
async function load(files: Readonly<Record<string, string>>, user?: string): Promise<Loaded> {
  await write({ ...files, ...(user === undefined ? {} : { 'user.toml': user }) })
  const result = await loadConfig({ dir, home: dir, userConfigFile: join(dir, 'user.toml') })
  return { config: result.ok ? result.config : undefined, diagnostics: result.diagnostics }
}

async function loadToml(text: string, user?: string): Promise<Loaded> {
  return load({ 'locald.toml': text }, user)
}

async function services(text: string, user?: string): Promise<Readonly<Record<string, ServiceConfig>>> {
  const { config, diagnostics } = await loadToml(text, user)
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return Object.fromEntries((config?.services ?? []).map((service) => [service.name, service]))
}

/** `line:column code` of each. */
function brief(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map(({ line, column, code }) => `${line}:${column} ${code}`)
}

test.skipIf(process.getuid?.() !== 0)(
  "loadConfig() refuses another user's Procfile beside a locald.toml once a service takes its command from it",
  async () => {
    const files = { 'locald.toml': '[services.web]\n', Procfile: 'web: run\n' }
    await write(files)
    await chown(join(dir, 'Procfile'), 12_345, 12_345)
    await expect(loadConfig({ dir, home: dir })).rejects.toMatchObject({
      code: 'config_refused',
      message: expect.stringContaining('/Procfile" belongs to another user (uid 12345)'),
    })
    await write({ ...files, 'locald.toml': '[services.web]\ncommand = "x"\n' })
    expect(await loadConfig({ dir, home: dir })).toMatchObject({ ok: true })
  },
)

test('loadConfig() fills in every default', async () => {
  const { config, diagnostics } = await loadToml('[services.api]\ncommand = "run"\n')
  expect(diagnostics).toEqual([])
  const file = join(dir, 'locald.toml')
  expect(config).toEqual({
    file,
    format: 'toml',
    root: dir,
    id: expect.stringMatching(/^[0-9a-f]{12}$/),
    name: dir.split('/').at(-1),
    domain: `${dir.split('/').at(-1)?.toLowerCase()}.localhost`,
    domains: [],
    env: [],
    services: [
      {
        name: 'api',
        type: 'auto',
        listening: 'may',
        command: 'run',
        workdir: dir,
        portDiscovery: 'auto',
        env: [],
        envFiles: [],
        dependsOn: [],
        onUnhealthy: 'ignore',
        startTimeoutMs: 60_000,
        restart: 'on-failure',
        stopSignal: 'SIGTERM',
        stopTimeoutMs: 10_000,
        stopScope: 'group',
        watch: [],
        tty: true,
        replicas: 1,
        start: 'up',
        domains: [],
        place: { file, line: 1, column: 11 },
        places: { command: { file, line: 2, column: 11 } },
      },
    ],
    routes: [],
    logs: { segmentBytes: 10_000_000, segments: 5, totalBytes: 1_000_000_000 },
  })
})

test('loadConfig() survives JSON', async () => {
  const { config } = await loadToml(
    '[services.a]\ncommand = "x"\nstop_timeout = "never"\n[services.t]\ntype="task"\ncommand="y"',
  )
  expect(JSON.parse(JSON.stringify(config))).toEqual(config)
})

test('loadConfig() reads every key of a process', async () => {
  await write({ '.env.web': '', 'frontend/x': '', 'more.env': '' })
  const { web } = await services(`
[env]
LOG_LEVEL = "debug"
N = 1
[services.migrate]
type = "task"
command = "m"
[services.api]
command = "a"
[services.web]
command = ["npm", "run", "dev"]
workdir = "frontend"
port = 3000
port_discovery = "scan"
env = { DATABASE_URL = "\${services.api.url}", DEBUG = true }
env_file = [".env.web", "more.env"]
depends_on = ["migrate", { service = "api", condition = "started", restart_with = true }]
health_check = { type = "http", path = "/health", port = 8080, status = ["2xx", 304, "400-404"], interval = "5s", timeout = 2, retries = 5, start_period = "1m" }
start_timeout = "90s"
restart = "always"
stop_signal = "int"
stop_timeout = "500ms"
stop_scope = "leader"
watch = ["src/**"]
tty = false
start = "on-request"
idle_timeout = "1h"
watchdog = "30s"
on_unhealthy = "restart"
domains = ["shop.test"]
`)
  expect(web).toMatchObject({
    type: 'exec',
    listening: 'must',
    command: ['npm', 'run', 'dev'],
    workdir: join(dir, 'frontend'),
    port: 3000,
    portDiscovery: 'scan',
    env: [
      { name: 'DATABASE_URL', value: '${services.api.url}' },
      { name: 'DEBUG', value: 'true' },
    ],
    envFiles: [{ value: join(dir, '.env.web') }, { value: join(dir, 'more.env') }],
    dependsOn: [
      { service: 'migrate', condition: 'healthy', restartWith: false },
      { service: 'api', condition: 'started', restartWith: true },
    ],
    healthCheck: {
      type: 'http',
      method: 'GET',
      path: '/health',
      port: 8080,
      status: [
        [200, 299],
        [304, 304],
        [400, 404],
      ],
      headers: {},
      intervalMs: 5000,
      timeoutMs: 2000,
      retries: 5,
      startPeriodMs: 60_000,
    },
    startTimeoutMs: 90_000,
    restart: 'always',
    stopSignal: 'SIGINT',
    stopTimeoutMs: 500,
    stopScope: 'leader',
    watch: ['src/**'],
    tty: false,
    start: 'on-request',
    idleTimeoutMs: 3_600_000,
    watchdogMs: 30_000,
    onUnhealthy: 'restart',
    domains: ['shop.test'],
  })
})

test('loadConfig() reads the types that later parts start', async () => {
  const all = await services(`
[services.cache]
image = "redis:7"
container_port = 6379
volumes = ["./data:/data"]
[services.db]
type = "postgres"
[services.kv]
type = "redis"
[services.docs]
type = "site"
path = "public"
build = "make docs"
`)
  expect(all['cache']).toMatchObject({
    type: 'container',
    listening: 'must',
    container: { image: 'redis:7', ports: [6379], volumes: ['./data:/data'] },
  })
  expect(all['db']).toMatchObject({ type: 'postgres', listening: 'must' })
  expect(all['kv']).toMatchObject({ type: 'redis' })
  expect(all['docs']).toMatchObject({ type: 'site', site: { path: join(dir, 'public'), build: 'make docs' } })
})

test.each([
  ['command = "x"', 'auto', 'may'],
  ['command = "x --port $PORT"', 'auto', 'must'],
  ['command = ["node", "-e", "listen(process.env.PORT)"]', 'auto', 'must'],
  ['command = "x ${PORT:-3000}"', 'auto', 'must'],
  ['command = "PORT=3000 jobs"', 'auto', 'may'],
  ['command = "x $DB_PORT $PORTS"', 'auto', 'may'],
  ['command = "x"\nport = 3000', 'exec', 'must'],
  ['command = "x"\nenv = { PORT = "3000" }', 'exec', 'must'],
  ['command = "x"\nport = false', 'auto', 'never'],
  ['command = "x"\nhealth_check = "true"', 'exec', 'may'],
  ['command = "x"\nhealth_check = { type = "tcp" }', 'exec', 'must'],
  ['command = "x"\ntype = "exec"', 'exec', 'must'],
  ['command = "x $PORT"\ntype = "worker"', 'worker', 'never'],
  ['command = "x"\ntype = "task"', 'task', 'never'],
  ['command = "x"\nschedule = "@daily"', 'task', 'never'],
])('loadConfig() infers from %j the type %s that %s listen', async (keys, type, listening) => {
  expect((await services(`[services.jobs]\n${keys}`))['jobs']).toMatchObject({ type, listening })
})

test('loadConfig() takes a service named web for one that must listen', async () => {
  expect((await services('[services.web]\ncommand = "x"'))['web']).toMatchObject({ type: 'auto', listening: 'must' })
})

test('loadConfig() gives tasks no time limit and no restart', async () => {
  const { t } = await services(
    '[services.t]\ntype = "task"\ncommand = "x"',
    '[defaults]\nrestart = "always"\nstart_timeout = "1s"',
  )
  expect(t).toMatchObject({ startTimeoutMs: null, restart: 'never' })
})

test.each([
  ['"curl -f x"', { type: 'command', command: 'curl -f x', timeoutMs: 5000 }],
  ['{ command = "x" }', { type: 'command', command: 'x', timeoutMs: 5000 }],
  [
    '{ type = "command", command = ["x", "y"], timeout = "1s" }',
    { type: 'command', command: ['x', 'y'], timeoutMs: 1000 },
  ],
  ['{ type = "log", pattern = "ready in \\\\d+" }', { type: 'log', pattern: 'ready in \\d+' }],
  ['{ type = "notify" }', { type: 'notify', intervalMs: 10_000, timeoutMs: 1000, retries: 3, startPeriodMs: 0 }],
  ['{ type = "tcp", owner = "any", port = 5432 }', { type: 'tcp', owner: 'any', port: 5432 }],
  ['{ type = "http" }', { type: 'http', method: 'GET', path: '/', status: [[200, 399]] }],
])('loadConfig() reads the health check %s', async (written, expected) => {
  expect((await services(`[services.a]\ncommand = "x"\nhealth_check = ${written}`))['a']?.healthCheck).toMatchObject(
    expected,
  )
})

test('loadConfig() reports all mistakes of a file at once, with place, quoted line and the nearest right name', async () => {
  const { config, diagnostics } = await loadToml(
    [
      '[services.web]',
      'comand = "npm start"', // 2
      'port = "80"', // 3
      'stop_signal = "SIGTREM"', // 4
      'depends_on = ["ap", "web"]', // 5
      '',
      '[services.api]',
      'command = "api ${services.wbe.url}"', // 8
      'restart = "allways"', // 9
      'start_timeout = "soon"', // 10
      'env_file = "missing.env"', // 11
      'health_check = { type = "htp" }', // 12
      'depends_on = ["jobs"]', // 13
      '',
      '[services.jobs]',
      'command = "jobs"',
      'replicas = 2',
      'port = 4000', // 18
      'depends_on = [{ service = "api" }]',
      '',
      '[service]', // 21
      'x = 1',
    ].join('\n'),
  )
  expect(config).toBeUndefined()
  expect(brief(diagnostics)).toEqual([
    '2:1 unknown-key',
    '3:8 bad-value',
    '4:15 bad-value',
    '5:15 unknown-service',
    '5:21 cycle',
    '8:16 unknown-service',
    '9:11 bad-value',
    '10:17 bad-value',
    '11:12 missing-file',
    '12:25 bad-value',
    '13:15 cycle',
    '18:8 conflict',
    '21:2 unknown-key',
  ])
  expect(diagnostics.map(({ hint }) => hint?.match(/"([^"]+)"\?$/)?.[1])).toEqual([
    'command',
    undefined,
    'SIGTERM',
    'api',
    undefined,
    'web',
    'always',
    undefined,
    undefined,
    'http',
    undefined,
    undefined,
    'services',
  ])
  expect(diagnostics[0]).toEqual({
    severity: 'error',
    code: 'unknown-key',
    message: 'Unknown key "comand" in [services.web]',
    file: join(dir, 'locald.toml'),
    line: 2,
    column: 1,
    length: 6,
    source: 'comand = "npm start"',
    hint: 'Did you mean "command"?',
  })
  expect(diagnostics.find(({ line }) => line === 13)?.message).toBe(
    'These services wait for each other: api → jobs → api',
  )
})

test('loadConfig() does not call a service missing that is only faulty', async () => {
  const { diagnostics } = await loadToml(
    '[services]\ndb = 5\n[services.web]\ncommand = "x ${services.db.url}"\ndepends_on = ["db"]\n[routes]\n"/" = "db"',
  )
  expect(brief(diagnostics)).toEqual(['2:6 wrong-type'])
})

test('loadConfig() names a whole circle once', async () => {
  const { diagnostics } = await loadToml(
    ['a', 'b', 'c', 'd']
      .map((name, i, all) => `[services.${name}]\ncommand = "x"\ndepends_on = ["${all[(i + 1) % 4]}"]`)
      .join('\n'),
  )
  expect(diagnostics.map(({ message }) => message)).toEqual(['These services wait for each other: a → b → c → d → a'])
  expect(diagnostics[0]).toMatchObject({ line: 3, column: 15, length: 3 })
})

test('loadConfig() goes on after a syntax error, but does not call unreadable parts missing', async () => {
  const { diagnostics } = await loadToml(
    '[services.web\ncommand = "x"\n[services.api]\ncommand = "unclosed\nport = "no"\ndepends_on = ["web"]\n',
  )
  expect(brief(diagnostics)).toEqual(['1:14 syntax', '4:20 syntax', '5:8 bad-value'])
})

test.each([
  ['[services.a]\ndepends_on = ["b",\ncommand = "y"\n[services.c]\ncommand = "z"', ['2:14 syntax']],
  ['[services.a]\nenv = { A = [1\ncommand = "y"\nport = "x"', ['2:7 syntax', '4:8 bad-value']],
  ['[services.a]\ncommand = """x\n[services.b]\nport = "x"', ['2:11 syntax', '4:8 bad-value']],
  ["[services.a]\ncommand = 'it's'\nport = 'x'", ['2:15 syntax', '3:8 bad-value']],
  ['[services.a]\ncommand: x', ['2:8 syntax']],
  ['[services.a]\ncommand = npm start', ['2:11 syntax']],
  ['[services.a]\ncommand = "x"\n[services.a]\ncommand = "y"', ['3:2 syntax']],
])(
  'loadConfig() reports the syntax error in %j where it is, and nothing that follows from it',
  async (text, expected) => {
    const { diagnostics } = await loadToml(text)
    expect(brief(diagnostics)).toEqual(expected)
    expect(diagnostics[0]?.hint).toBeDefined()
  },
)

test('loadConfig() reports a file of another format without a flood', async () => {
  const { diagnostics } = await loadToml(Array.from({ length: 100 }, (_, i) => `this is prose ${i}`).join('\n'))
  expect(diagnostics.length).toBeLessThanOrEqual(20)
  expect(diagnostics[0]).toMatchObject({ line: 1, code: 'syntax' })
})

test.each([
  ['type = "task"\ncommand = "x"\nport = 1000', '4:1 conflict'],
  ['type = "task"\ncommand = "x"\nrestart = "always"', '4:11 conflict'],
  ['type = "worker"\ncommand = "x"\nport = 1000', '4:1 conflict'],
  ['type = "worker"\ncommand = "x"\nhealth_check = { type = "tcp" }', '4:16 conflict'],
  ['command = "x"\nport = false\nhealth_check = { type = "http" }', '4:16 conflict'],
  ['command = "x"\nimage = "y"\ntype = "exec"', '3:1 conflict'],
  ['command = "x"\npath = "y"', '3:1 conflict'],
  ['command = "x"\nport = 1000\nenv = { PORT = "2000" }', '4:16 conflict'],
  ['type = "container"', '1:11 missing'],
  ['type = "site"', '1:11 missing'],
  ['port = 1000', '1:11 missing'],
  ['command = "x"\nport = 0', '3:8 bad-value'],
  ['command = "x"\nport = true', '3:8 bad-value'],
  ['command = "x"\nreplicas = 0', '3:12 bad-value'],
  ['command = "x"\nschedule = "* * *"', '3:12 bad-value'],
  ['command = "x"\nschedule = "61 * * * *"', '3:12 bad-value'],
  ['command = "x"\nschedule = "0 0 30 2 *"', '3:12 bad-value'],
  ['command = "x"\ntype = "worker"\nschedule = "@daily"', '4:1 conflict'],
  ['command = "x"\nport = 3000\nschedule = "@daily"', '4:1 conflict'],
  ['command = "x"\nstart = "on-request"\nschedule = "@daily"', '3:9 conflict'],
  ['command = "x"\ndomains = ["http://x"]', '3:12 bad-value'],
  ['command = "x"\nhealth_check = { type = "log", pattern = "(" }', '3:42 bad-value'],
  ['command = "x"\nhealth_check = { path = "/x" }', '3:16 missing'],
  ['command = "x"\nhealth_check = { type = "tcp", path = "/x" }', '3:32 unknown-key'],
  ['command = "x"\nenv = { A = "${services.t.prot}" }', '3:14 unknown-reference'],
  ['command = "x"\nenv = { A = "${service.t.port}" }', '3:14 unknown-reference'],
  ['command = "x"\ndepends_on = [{ servce = "t" }]', '3:17 unknown-key'],
])('loadConfig() refuses %j', async (keys, expected) => {
  const { config, diagnostics } = await loadToml(`[services.t]\n${keys}`)
  expect(config).toBeUndefined()
  expect(brief(diagnostics)).toContain(expected)
  for (const { source } of diagnostics) expect(source).toBeDefined()
})

test.each(['web.1', '-web', 'we/b', 'w b', 'a..b', 'a.'])(
  'loadConfig() refuses %j as the name of a service',
  async (name) => {
    const { diagnostics } = await loadToml(`[services."${name}"]\ncommand = "x"`)
    expect(brief(diagnostics)).toEqual(['1:11 bad-name'])
  },
)

test('loadConfig() refuses two services with one fixed port, and names that others could not tell apart', async () => {
  const { diagnostics } = await loadToml(
    '[services.a-b]\ncommand = "x"\nport = 3000\n[services.a_b]\ncommand = "x"\nport = 3000',
  )
  expect(brief(diagnostics)).toEqual(['4:11 conflict', '6:8 conflict'])
})

test('loadConfig() leaves shell variables and literals in commands alone', async () => {
  await services('[services.a]\ncommand = "echo ${HOME} ${X:-y} $${services.no.url} ${env.X}"')
})

test('loadConfig() warns about a workdir that does not exist yet', async () => {
  const { config, diagnostics } = await loadToml('[services.a]\ncommand = "x"\nworkdir = "gone"')
  expect(config).toBeDefined()
  expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'missing-file', line: 3, column: 11 }])
})

test('loadConfig() takes user < project for defaults, variables and logs', async () => {
  const { config } = await loadToml(
    '[env]\nA = "project"\n[logs]\nsegments = 9\n[services.a]\ncommand = "x"\nrestart = "never"',
    '[defaults]\nrestart = "always"\ntty = false\nstop_timeout = "never"\n[env]\nA = "user"\nB = "user"\n[logs]\nsegments = 3\nsegment_size = "1MB"',
  )
  expect(config?.services[0]).toMatchObject({ restart: 'never', tty: false, stopTimeoutMs: null })
  expect(config?.env).toEqual([
    { name: 'B', value: 'user', place: { file: join(dir, 'user.toml'), line: 7, column: 1 } },
    { name: 'A', value: 'project', place: { file: join(dir, 'locald.toml'), line: 2, column: 1 } },
  ])
  expect(config?.logs).toEqual({ segmentBytes: 1_000_000, segments: 9, totalBytes: 1_000_000_000 })
})

test("loadConfig() reports mistakes in the user's defaults with their file", async () => {
  const { config, diagnostics } = await loadToml(
    '[services.a]\ncommand = "x"',
    '[defaults]\nrestrat = "always"\nstop_signal = "X"',
  )
  expect(config).toBeUndefined()
  expect(diagnostics).toMatchObject([
    { file: join(dir, 'user.toml'), line: 2, code: 'unknown-key' },
    { file: join(dir, 'user.toml'), line: 3, code: 'bad-value' },
  ])
})

test('loadConfig() runs a Procfile: release is a task, web must listen', async () => {
  const { config, diagnostics } = await load({
    Procfile: 'release: migrate\nweb: serve\nworker: work\nworker: again\n',
  })
  expect(config?.format).toBe('procfile')
  expect(config?.services).toMatchObject([
    { name: 'release', type: 'task', command: 'migrate', listening: 'never' },
    { name: 'web', type: 'auto', command: 'serve', listening: 'must', place: { line: 2, column: 1 } },
    { name: 'worker', type: 'auto', command: 'work', listening: 'may' },
  ])
  expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'duplicate-name', line: 4 }])
})

test('loadConfig() lends Procfile lines to services without a command, and says which are not run', async () => {
  const { config, diagnostics } = await load({
    'locald.toml': '[services.web]\nport = 3000\n[services.jobs]\ncommand = "own"',
    Procfile: 'web: serve\njobs: theirs\nother: x\n',
  })
  expect(config?.services).toMatchObject([{ command: 'serve', type: 'exec' }, { command: 'own' }])
  expect(diagnostics).toMatchObject([
    { severity: 'warning', code: 'procfile-line-unused', file: join(dir, 'Procfile'), line: 3, source: 'other: x' },
  ])
})

test('loadConfig() names the Procfile lines when a service has no command', async () => {
  const { diagnostics } = await load({ 'locald.toml': '[services.wbe]\n', Procfile: 'web: serve\n' })
  expect(diagnostics.find(({ code }) => code === 'missing')?.hint).toContain('"web"')
})

test.each([
  [{}, 'npm run dev'],
  [{ 'pnpm-lock.yaml': '' }, 'pnpm run dev'],
  [{ 'yarn.lock': '' }, 'yarn run dev'],
  [{ 'bun.lock': '' }, 'bun run dev'],
])('loadConfig() runs the dev script of a package.json beside %j', async (files, command) => {
  const { config } = await load({ ...files, 'package.json': '{"name": "@acme/shop", "scripts": {"dev": "vite"}}' })
  expect(config).toMatchObject({
    format: 'package.json',
    name: 'shop',
    services: [{ name: 'web', type: 'auto', command }],
  })
})

test('loadConfig() obeys the packageManager field', async () => {
  const { config } = await load({
    'package-lock.json': '',
    'package.json': '{"packageManager": "pnpm@9.1.0", "scripts": {"dev": "vite"}}',
  })
  expect(config?.services[0]?.command).toBe('pnpm run dev')
})

test('loadConfig() reads a routes table', async () => {
  const { config } = await loadToml(
    '[routes]\n"/" = "web"\n"/api" = { service = "api", strip_prefix = true }\n[services.web]\ncommand="x"\n[services.api]\ncommand="y"',
  )
  expect(config?.routes).toMatchObject([
    { prefix: '/', service: 'web', stripPrefix: false },
    { prefix: '/api', service: 'api', stripPrefix: true },
  ])
  const { diagnostics } = await loadToml('[routes]\n"api" = "wbe"\n[services.web]\ncommand="x"')
  expect(brief(diagnostics)).toEqual(['2:1 bad-name', '2:9 unknown-service'])
})

test.skipIf(process.getuid?.() === 0)('loadConfig() throws for a file that it may not read', async () => {
  await write({ 'locald.toml': '' })
  await chmod(join(dir, 'locald.toml'), 0)
  await expect(loadConfig({ dir, home: dir })).rejects.toMatchObject({ code: 'config_refused' })
})

test('loadConfig() reads 200 services in no time', async () => {
  const text = Array.from(
    { length: 200 },
    (_, i) => `[services.s${i}]\ncommand = "x"\ndepends_on = ["s${(i + 1) % 250}"]`,
  ).join('\n')
  await write({ 'locald.toml': text.replace('"s200"', '"s100"') })
  const started = performance.now()
  const result = await loadConfig({ dir, home: dir })
  expect(result.diagnostics.map(({ code }) => code)).toEqual(['cycle'])
  expect(performance.now() - started).toBeLessThan(2000)
})

test('loadConfig() reads a container: its own directory, no terminal unless it is asked for, and no more than is written', async () => {
  const { web, term } = await services(`
[services.web]
image = "redis:7"
container_port = [80, 443]
workdir = "/data"
stop_signal = "INT"
[services.term]
image = "redis:7"
tty = true
`)
  expect(web).toMatchObject({
    type: 'container',
    listening: 'must',
    workdir: dir,
    tty: false,
    container: { image: 'redis:7', ports: [80, 443], volumes: [], workdir: '/data', stopSignal: 'SIGINT' },
  })
  expect(term).toMatchObject({ listening: 'never', tty: true, container: { ports: [] } })
  expect(term?.container).not.toHaveProperty('stopSignal')
})

test('loadConfig() refuses what a container cannot have: a directory of the project to work in, a port that leads nowhere', async () => {
  const { diagnostics } = await loadToml(`[services.web]
image = "redis:7"
workdir = "./data"
port = 3000
`)
  expect(brief(diagnostics)).toEqual(['3:11 bad-value', '4:8 conflict'])
})

test('loadConfig() reads a file that begins with a byte order mark and ends its lines as Windows does, and places faults in it', async () => {
  const { diagnostics } = await loadToml('\ufeff[servces]\r\n[services.web]\r\ncommand = "x"\r\nprot = 1\r\n')
  expect(brief(diagnostics)).toEqual(['1:2 unknown-key', '4:1 unknown-key'])
  expect(diagnostics.map(({ source }) => source)).toEqual(['[servces]', 'prot = 1'])
  const packageJson = await load({ 'locald.toml': '', 'package.json': '\ufeff{"scripts":{"dev":"x"}}' })
  expect(packageJson.diagnostics.map(({ code }) => code)).toEqual(['empty-file'])
  await rm(join(dir, 'locald.toml'))
  expect((await load({})).config?.services.map(({ command }) => command)).toEqual(['npm run dev'])
})

test('loadConfig() names the table of a fault inside of a health check', async () => {
  const { diagnostics } = await loadToml(
    '[services.a]\ncommand = "x"\nhealth_check = { type = "log", retires = 3 }\n[services.a.health]\n',
  )
  expect(diagnostics.map(({ message }) => message)).toEqual([
    '"pattern" is missing in [services.a.health_check]',
    'Unknown key "retires" in [services.a.health_check]',
    'Unknown key "health" in [services.a]',
  ])
})

test('loadConfig() refuses durations of nothing where that would never pause, and those that no timer holds', async () => {
  const { diagnostics } = await loadToml(
    [
      '[services.a]',
      'command = "x"',
      'start_timeout = 0', // 3
      'stop_timeout = 0',
      'health_check = { type = "tcp", interval = "0s", timeout = 0, start_period = 0 }', // 5, 5
      '[services.b]',
      'command = "x"',
      'start_timeout = "577h"', // 8
      'stop_timeout = "576h"',
      'health_check = { type = "tcp", interval = "600h" }', // 10
    ].join('\n'),
    '[defaults]\nstop_timeout = "1000h"\n',
  )
  expect(diagnostics.map(({ file, line, message }) => `${basename(file)}:${line} ${message}`)).toEqual([
    'user.toml:2 "stop_timeout" is "1000h": expected at most 24 days, which are "576h"',
    'locald.toml:3 "start_timeout" is 0: expected more than 0',
    'locald.toml:5 "interval" is "0s": expected more than 0',
    'locald.toml:5 "timeout" is 0: expected more than 0',
    'locald.toml:8 "start_timeout" is "577h": expected at most 24 days, which are "576h"',
    'locald.toml:10 "interval" is "600h": expected at most 24 days, which are "576h"',
  ])
})

test.each(['locald.toml', 'Procfile'])('loadConfig() does not swallow whatever bears the name %s', async (name) => {
  await symlink('/dev/zero', join(dir, name))
  const endless = loadConfig({ dir, home: dir, file: name })
  await expect(endless).rejects.toMatchObject({ code: 'config_refused' })
  await rm(join(dir, name))
  await expect(load({ [name]: `# ${'x'.repeat(5 * 1024 * 1024)}\n` })).rejects.toMatchObject({ code: 'config_refused' })
})

test('loadConfig() copes with as long a string as fits into a file', async () => {
  const { config, diagnostics } = await loadToml(`[services.a]\ncommand = "${'x'.repeat(4 * 1024 * 1024 - 40)}"\n`)
  expect(diagnostics).toEqual([])
  expect(config?.services).toHaveLength(1)
})

test('loadConfig() in a worktree has the name of the repository, and the label of the branch beside it', async () => {
  const git = {
    'main/.git/worktrees/w/HEAD': 'ref: refs/heads/feat/auth\n',
    'main/.git/worktrees/w/commondir': '../..\n',
  }
  await write({ ...git, 'w/.git': `gitdir: ${join(dir, 'main/.git/worktrees/w')}\n` })
  const worktree = { label: 'feat-auth-cc945a', longLabel: 'feat-auth-cc945a', branch: 'feat/auth' }
  const loadIn = async (at: string, text: string): Promise<Config | undefined> => {
    await write({ [`${at}/locald.toml`]: text })
    const result = await loadConfig({ dir: join(dir, at), home: dir })
    return result.ok ? result.config : undefined
  }
  const service = '[services.web]\ncommand = "x"\n'
  expect(await loadIn('w', service)).toMatchObject({ name: 'main', domain: 'main.localhost', worktree })
  expect(await loadIn('w/apps/ui', service)).toMatchObject({ name: 'ui', domain: 'ui.localhost', worktree })
  const named = `[project]\nname = "Shop"\n${service}`
  expect(await loadIn('w', named)).toMatchObject({ name: 'Shop', domain: 'shop.localhost', worktree })
  expect(await loadIn('main', service)).not.toHaveProperty('worktree')
})

test('loadConfig() reads domains in lower case, and points at those that are no host names', async () => {
  const good = await loadToml('[project]\ndomain = "Shop.test"\ndomains = ["a.TEST"]\n[services.web]\ncommand = "x"')
  expect(good.config).toMatchObject({ domain: 'shop.test', domains: ['a.test'] })
  const domains = [
    '10.0.0.1',
    'a_b.test',
    '*.x.test',
    'münchen.test',
    'locald.localhost',
    'api.locald.localhost',
    'a.test:80',
  ]
  const { diagnostics } = await loadToml(
    `[project]\ndomains = ${JSON.stringify(domains)}\n[services.web]\ncommand = "x"`,
  )
  expect(diagnostics.map(({ line, code }) => `${line} ${code}`)).toEqual([
    ...Array.from({ length: 4 }, () => '2 bad-value'),
    '2 name-reserved',
    '2 name-reserved',
    '2 bad-value',
  ])
  expect(diagnostics[3]?.hint).toBe('Write "xn--mnchen-3ya.test"')
})

test('loadConfig() leaves the name of locald itself to locald', async () => {
  const { config } = await loadToml('[project]\nname = "locald"\n[services.web]\ncommand = "x"')
  expect(config?.domain).toBe('project-locald.localhost')
})

test('loadConfig() reads routes without a slash at their end, and refuses what is no beginning of a path', async () => {
  const service = '[services.api]\ncommand = "x"\n'
  const { config } = await loadToml(`${service}[routes]\n"/api/" = "api"\n"/" = "api"`)
  expect(config?.routes.map(({ prefix }) => prefix)).toEqual(['/api', '/'])
  const { diagnostics } = await loadToml(
    `${service}[routes]\n"/a" = "api"\n"/a/" = "api"\n"/b?c" = "api"\n"/.locald/x" = "api"\n"/d//e" = "api"\n"f" = "api"`,
  )
  expect(brief(diagnostics)).toEqual([
    '5:1 conflict',
    '6:1 bad-name',
    '7:1 name-reserved',
    '8:1 bad-name',
    '9:1 bad-name',
  ])
})
