// What scripts rely on: the keys and types of everything that --json prints, with a daemon and without one.
import type {
  AliasEntry,
  AllProjects,
  Diagnostic,
  DoctorReport,
  EnvVariable,
  ErrorBody,
  Finding,
  LogLine,
  OrderAccepted,
  OrderEnded,
  PortHolder,
  PortRow,
  ProjectEvent,
  ProjectStatus,
  RegistryEntry,
  ServerStatus,
  ServiceEvent,
  ServiceExit,
  ServiceSnapshot,
  TrustAuthority,
  TrustPlanStep,
  TrustRemoval,
  TrustReport,
  TrustStoreName,
  TrustStoreReport,
  UnmetDependency,
  UrlAnswer,
  WhyAnswer,
} from '@locald/protocol'
import { findingIds } from '@locald/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createHarness } from '../support/harness.ts'
import type { CliResult } from '../support/cli.ts'

/** One schema for each key of a type of the protocol: a key that is added there has to be added here. */
type Keys<T> = Record<keyof T, z.ZodType>

const text = z.string()
const count = z.int().nonnegative()
const time = z.iso.datetime({ precision: 3 })

const snapshot = z.strictObject({
  name: text,
  instance: z.int().min(1),
  type: z.enum(['auto', 'exec', 'worker', 'task', 'container', 'postgres', 'redis', 'site']),
  state: z.enum([
    'stopped',
    'waiting',
    'starting',
    'running',
    'stopping',
    'backoff',
    'completed',
    'failed',
    'scheduled',
    'idle',
  ]),
  health: z.strictObject({
    status: z.enum(['starting', 'healthy', 'unhealthy', 'none']),
    source: z.enum(['http', 'tcp', 'command', 'log', 'notify', 'docker', 'process']).nullable(),
    message: text.optional(),
  } satisfies Keys<ServiceSnapshot['health']>),
  pid: z.int().positive().nullable(),
  container: z.strictObject({ id: text, name: text, engine: text }).optional(),
  port: z.int().min(1).max(65_535).nullable(),
  ports: z.array(z.int().min(1).max(65_535)),
  host: text.optional(),
  url: z.url().nullable(),
  restarts: count,
  exit: z
    .strictObject({
      code: z.int().nullable(),
      signal: z.string().startsWith('SIG').nullable(),
      at: time,
      reason: text,
    } satisfies Keys<ServiceExit>)
    .nullable(),
  started_at: time.nullable(),
  ready_after_ms: count.nullable(),
  depends_on: z.array(text),
  warnings: z.array(text),
  input_wanted: text.optional(),
  run: count,
  waiting_for: z.array(
    z.strictObject({
      service: text,
      condition: z.enum(['started', 'healthy', 'completed']),
      reason: text,
    } satisfies Keys<UnmetDependency>),
  ),
  reason: text.nullable(),
  retry_at: time.nullable(),
  next_run_at: time.optional(),
} satisfies Keys<ServiceSnapshot>)

const project = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  project: text,
  root: z.string().startsWith('/'),
  file: z.string().startsWith('/'),
  services: z.array(snapshot),
  warnings: z.array(text),
} satisfies Keys<ProjectStatus>)

const projects = z.strictObject({ projects: z.array(project) } satisfies Keys<AllProjects>)

const portRow = z.strictObject({
  project: text,
  service: text,
  instance: z.int().min(1),
  port: z.int().min(1),
  kind: z.enum(['fixed', 'assigned', 'discovered']),
  listening: z.boolean(),
  holder: z
    .strictObject({
      pid: z.int().nullable(),
      command: text.nullable(),
      user: text.nullable(),
    } satisfies Keys<PortHolder>)
    .nullable(),
} satisfies Keys<PortRow>)
const ports = z.strictObject({ ports: z.array(portRow).min(1) })

const logLine = z.strictObject({
  at: time,
  service: text,
  stream: z.enum(['stdout', 'stderr', 'pty', 'locald']),
  run: z.int().min(1),
  text,
  cursor: text.optional(),
} satisfies Keys<LogLine>)

const env = z.strictObject({
  service: text,
  variables: z
    .array(
      z.strictObject({
        name: text,
        value: text,
        source: z.enum(['shell', 'sibling', 'dotenv', 'project', 'env_file', 'service', 'locald', 'flag']),
        file: z.string().startsWith('/').nullable(),
        line: z.int().min(1).nullable(),
      } satisfies Keys<EnvVariable>),
    )
    .min(1),
})

const why = z.strictObject({
  service: text,
  snapshots: z.array(snapshot),
  summary: text,
  evidence: z.strictObject({ service: text, text }).optional(),
  chain: z.array(z.strictObject({ service: text, state: text, reason: text })).min(1),
  probe: z
    .strictObject({
      source: text.nullable(),
      description: text,
      last_result: text.nullable(),
      last_output: text.nullable(),
      at: time.nullable(),
    })
    .nullable(),
  notify: z.array(z.unknown()).optional(),
  ports: z.array(portRow),
  last_lines: z.array(logLine),
  advice: z.array(text),
} satisfies Keys<WhyAnswer>)

const diagnostic = z.strictObject({
  severity: z.enum(['error', 'warning']),
  code: text,
  message: text,
  file: z.string().startsWith('/'),
  line: z.int().min(1),
  column: z.int().min(1),
  source: text.optional(),
  length: z.int().min(1).optional(),
  hint: text.nullable(),
} satisfies Keys<Diagnostic>)

const check = z.strictObject({
  file: z.string().startsWith('/'),
  format: z.enum(['toml', 'procfile', 'package.json']),
  project: text.nullable(),
  root: z.string().startsWith('/'),
  services: z.array(
    z.strictObject({
      name: text,
      type: text,
      command: z.union([text, z.array(text)]).nullable(),
      depends_on: z.array(text),
      workdir: text,
      replicas: z.int().min(1),
      hosts: z.array(text),
    }),
  ),
  diagnostics: z.array(diagnostic),
})

const configShow = z.strictObject({
  file: z.string().startsWith('/'),
  format: text,
  settings: z
    .array(
      z.strictObject({
        key: text,
        value: z.unknown(),
        origin: text,
        file: text.nullable(),
        line: z.int().min(1).nullable(),
      }),
    )
    .min(1),
  hosts: z.array(
    z.strictObject({
      host: text,
      rules: z.array(z.strictObject({ prefix: z.string().startsWith('/'), service: text, strip_prefix: z.boolean() })),
    }),
  ),
})

const part = z.strictObject({ pid: z.int().positive(), version: text, started_at: time })
const server = z.strictObject({
  daemon: part.nullable(),
  keeper: part.nullable(),
  proxy: z.strictObject({ http: count, https: count }).nullable(),
  warnings: z.array(text).optional(),
} satisfies Keys<ServerStatus>)

const trustPlan = z
  .array(z.strictObject({ title: text, lines: z.array(text) } satisfies Keys<TrustPlanStep>))
  .optional()
const trustReport = z.strictObject({
  trusted: z.boolean(),
  scope: z.enum(['all', 'browsers', 'system']),
  authorities: z.array(
    z.strictObject({
      fingerprint: z.string().length(64),
      name: text,
      suffixes: z.array(text),
      expires_at: time,
      file: text,
      trusted: z.boolean(),
    } satisfies Keys<TrustAuthority>),
  ),
  stores: z.array(
    z.strictObject({
      id: text,
      kind: z.enum(['system', 'nss', 'keychain']),
      label: text,
      path: text,
      proof: z.enum(['handshake', 'statement']),
      trusted: z.boolean(),
      reason: text.nullable(),
      fix: text.nullable(),
    } satisfies Keys<TrustStoreReport>),
  ),
  plan: trustPlan,
} satisfies Keys<TrustReport>)
const trustStoreName = { id: text, label: text, path: text } satisfies Keys<TrustStoreName>
const trustRemoval = z.strictObject({
  removed: z.array(z.strictObject(trustStoreName)),
  left: z.array(z.strictObject({ ...trustStoreName, reason: text.nullable() })),
  authorities: text,
  plan: trustPlan,
} satisfies Keys<TrustRemoval>)

const url = z.strictObject({
  url: z.url().nullable(),
  direct: z.url().nullable(),
  ca: z.string().startsWith('/').nullable(),
} satisfies Keys<UrlAnswer>)

const alias = z.strictObject({
  host: text,
  port: z.int().min(1).max(65_535),
  url: z.url().nullable(),
  project: text.nullable(),
} satisfies Keys<AliasEntry>)
const aliases = z.strictObject({ aliases: z.array(alias) })

const doctor = z.strictObject({
  ok: z.boolean(),
  findings: z
    .array(
      z.strictObject({
        id: z.enum(findingIds),
        severity: z.enum(['ok', 'note', 'warning', 'error']),
        message: text,
        explanation: text.nullable(),
        fix: text.nullable(),
      } satisfies Keys<Finding>),
    )
    .min(1),
} satisfies Keys<DoctorReport>)

const registryEntry = z.strictObject({
  id: text,
  project: text,
  root: text,
  file: text,
  pinned: z.boolean(),
  running: z.boolean(),
  missing: z.boolean(),
  up_at: time.nullable(),
} satisfies Keys<RegistryEntry>)
const registry = z.strictObject({ projects: z.array(registryEntry) })

const numbered = { seq: count, at: time }
const order = { ...numbered, project: text, order: text, kind: z.enum(['up', 'start', 'stop', 'restart']) }
const event = z.union([
  z.strictObject({
    ...numbered,
    type: z.string().startsWith('service.'),
    project: text,
    service: text,
    instance: z.int().min(1),
    snapshot,
  } satisfies Keys<ServiceEvent>),
  z.strictObject({
    ...numbered,
    type: z.enum(['project.planned', 'project.removed']),
    project: text,
    status: project,
  } satisfies Keys<ProjectEvent>),
  z.strictObject({
    ...order,
    type: z.literal('order.accepted'),
    services: z.array(text),
  } satisfies Keys<OrderAccepted>),
  z.strictObject({
    ...order,
    type: z.literal('order.ended'),
    outcome: z.enum(['done', 'failed', 'superseded', 'timeout']),
    problems: z.array(text),
    exit_code: z.int().optional(),
  } satisfies Keys<OrderEnded>),
  z.strictObject({
    ...numbered,
    type: z.enum(['daemon.started', 'daemon.stopping']),
    pid: z.int(),
    version: text,
    problems: z.array(text).optional(),
  }),
])

const error = z.strictObject({
  error: z.strictObject({
    code: text,
    message: text,
    hint: text.optional(),
    diagnostics: z.array(z.unknown()).optional(),
  } satisfies Keys<ErrorBody['error']>),
})

function expectShape(schema: z.ZodType, result: CliResult, code = 0): void {
  const { success, error: fault } = schema.safeParse(result.json<unknown>())
  const said = fault === undefined ? '' : z.prettifyError(fault)
  expect({ args: result.args, code: result.code, success, said }).toEqual({
    args: result.args,
    code,
    success: true,
    said: '',
  })
}

function expectLines(schema: z.ZodType, result: CliResult): void {
  const lines = result.jsonLines<unknown>()
  expect(lines.length).toBeGreaterThan(0)
  for (const line of lines) expect(schema.safeParse(line)).toMatchObject({ success: true })
}

const files = {
  '.env': 'FROM_FILE=1\n',
  'locald.toml': `
[env]
API = "\${services.api.url}"

[services.api]
command = "exec ${process.execPath} server.mjs"
port_discovery = "off"
replicas = 2

[services.migrate]
type = "task"
command = "echo done"
tty = false

[services.jobs]
type = "worker"
command = "echo working; exec sleep 1000"
depends_on = [{ service = "migrate", condition = "completed" }, "api"]

[services.broken]
type = "task"
command = "exit 3"

[services.late]
type = "worker"
command = "sleep 1000"
depends_on = ["broken"]
`,
  'server.mjs': `
import { createServer } from 'node:http'
createServer((_, answer) => answer.end('hi')).listen(Number(process.env.PORT), '127.0.0.1')
`,
}

test('every answer with --json has the keys that the documentation and the protocol name', async () => {
  await using harness = createHarness()
  const shop = harness.project(files, 'shop')

  // Without a daemon.
  expectShape(project, await shop.locald('status', '--json'))
  expectShape(projects, await shop.locald('status', '--all', '--json'))
  expectShape(check, await shop.locald('check', '--json'))
  expectShape(configShow, await shop.locald('config', 'show', '--json'))
  expectShape(env, await shop.locald('env', 'api', '--json'))
  expectShape(ports, await shop.locald('ports', '--json'))
  expectShape(why, await shop.locald('why', 'jobs', '--json'))
  expectShape(server, await shop.locald('server', 'status', '--json'))
  expectShape(aliases, await shop.locald('alias', '--json'))
  expectShape(projects, await shop.locald('stop', '--json'))

  expectShape(project, await shop.locald('up', '--no-wait', 'api', '--json'))
  expectShape(project, await shop.locald('up', '--env', 'FLAG=1', '--json'), 1)
  expectShape(project, await shop.locald('wait', 'jobs', '--json'))
  expectShape(project, await shop.locald('restart', 'jobs', '--json'))
  expectShape(project, await shop.locald('status', '--json'))
  expectShape(projects, await shop.locald('status', '--all', '--json'))
  expectShape(env, await shop.locald('env', 'api.2', '--json'))
  expectShape(ports, await shop.locald('ports', '--json'))
  for (const service of ['api', 'jobs', 'broken', 'late']) expectShape(why, await shop.locald('why', service, '--json'))
  expectShape(server, await shop.locald('server', 'status', '--json'))
  expectShape(url, await shop.locald('url', 'api', '--json'))
  const nowhere = await shop.locald('url', 'jobs', '--json')
  expectShape(url, nowhere, 1)
  expect(error.parse(JSON.parse(nowhere.stderr)).error.code).toBe('not_running')
  expectShape(alias, await shop.locald('alias', 'grafana', '3000', '--json'))
  expectShape(aliases, await shop.locald('alias', '--json'))
  expectShape(
    z.strictObject({ host: text, removed: z.literal(true) }),
    await shop.locald('alias', 'grafana', '--remove', '--json'),
  )
  const examined = await shop.locald('doctor', '--json')
  expectShape(doctor, examined, examined.json<DoctorReport>().ok ? 0 : 1)
  expectShape(trustReport, await shop.locald('trust', '--dry-run', '--json'))
  expectShape(trustRemoval, await shop.locald('trust', '--uninstall', '--dry-run', '--json'))
  expectShape(registry, await shop.locald('registry', 'list', '--json'))
  expectShape(registryEntry, await shop.locald('registry', 'pin', '--json'))
  expectShape(registryEntry, await shop.locald('registry', 'unpin', '--json'))
  expectShape(registry, await shop.locald('registry', 'clean', '--json'))
  expectLines(logLine, await shop.locald('logs', '--json'))
  expectLines(event, await shop.locald('events', '--json'))
  expectLines(event, await shop.locald('events', '--all', '--json'))
  expectShape(project, await shop.locald('stop', '--json'))
})

test('a failure with --json is one line of JSON on stderr, and the state of the project on stdout', async () => {
  await using harness = createHarness()
  const shop = harness.project(
    {
      'locald.toml': `
[services.broken]
type = "task"
command = "exit 3"

[services.slow]
type = "task"
command = "sleep 1000"
`,
    },
    'shop',
  )
  const failures: readonly (readonly [readonly string[], string, string])[] = [
    [['up', 'broken'], 'order_failed', '"locald up" failed: not everything came up: broken: exited with code 3'],
    [['restart', 'broken'], 'order_failed', 'failed: not everything came up: broken: exited with code 3'],
    [['wait', 'broken'], 'order_failed', 'Not all services came up: broken failed: exited with code 3'],
    [
      ['up', 'slow', '--timeout', '200ms'],
      'timed_out',
      '"locald up" failed: its time was up: slow: not healthy in time',
    ],
    [['wait', 'slow', '--timeout', '200ms'], 'timed_out', 'Not ready in time: slow starting'],
  ]
  for (const [args, code, message] of failures) {
    const result = await shop.locald(...args, '--json')
    expectShape(project, result, 1)
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1)
    const said = error.parse(JSON.parse(result.stderr))
    expect({ args, ...said.error }).toEqual({ args, code, message: expect.stringContaining(message) })
  }
})

test('every refusal with --json is an error of the protocol, on stderr, on one line', async () => {
  await using harness = createHarness()
  const shop = harness.project({ ...files, 'bad.toml': '[services.web]\ncomand = "x"\n' }, 'shop')
  const refused: readonly (readonly [readonly string[], number])[] = [
    [['status', '--json', '-f', 'bad.toml'], 2],
    [['up', '--json', '-f', 'bad.toml'], 2],
    [['up', 'nobody', '--json'], 4],
    [['stop', 'nobody', '--json'], 4],
    [['restart', 'nobody', '--json'], 4],
    [['wait', 'nobody', '--json'], 4],
    [['logs', 'nobody', '--json'], 4],
    [['why', 'nobody', '--json'], 4],
    [['url', 'nobody', '--json'], 4],
    [['alias', 'grafana', 'nonsense', '--json'], 2],
    [['alias', 'nobody', '--remove', '--json'], 4],
    [['env', 'nobody', '--json'], 4],
    [['ports', '--json', '-f', 'missing.toml'], 2],
    [['events', '--json', '--file', 'missing.toml'], 2],
    [['events', '--json', 'nonsense'], 2],
    [['config', 'show', '--json', '-f', 'missing.toml'], 2],
    [['check', '--json', '-f', 'missing.toml'], 2],
    [['registry', 'pin', 'nobody', '--json'], 4],
  ]
  for (const [args, code] of refused) {
    const result = await shop.locald(...args)
    expect({ args, code: result.code, stdout: result.stdout }).toEqual({ args, code, stdout: '' })
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(error.safeParse(JSON.parse(result.stderr))).toMatchObject({ success: true })
  }
})
