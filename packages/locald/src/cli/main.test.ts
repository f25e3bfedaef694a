// Whole commands against a daemon of the test's making, or against none.
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OrderRequest, ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import { expect, test } from 'vitest'
import { eventText, startFakeDaemon } from '../client/testing/fake-daemon.ts'
import type { FakeRequest } from '../client/testing/fake-daemon.ts'
import { startTimeOf } from '../lib/process-tree.ts'
import { main } from './main.ts'
import { createOutput } from './output/output.ts'

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface Run {
  readonly result: Promise<Result>
  readonly interrupt: (signal?: NodeJS.Signals) => void
}

function startMain(argv: readonly string[], { home, cwd = home }: { home: string; cwd?: string }): Run {
  const text = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr'): EventEmitter & { write: (chunk: string) => void } =>
    Object.assign(new EventEmitter(), {
      write: (chunk: string) => {
        text[name] += chunk
      },
    })
  const env = { PATH: process.env['PATH'], HOME: home, LOCALD_HOME: home }
  const listeners = new Set<(signal: NodeJS.Signals) => void>()
  const code = main({
    argv,
    env,
    cwd,
    version: '1.2.3',
    keeperProgram: '/nonexistent/keeper.cjs',
    output: createOutput({ stdout: () => stream('stdout'), stderr: () => stream('stderr'), env }),
    isInteractive: () => false,
    onInterrupt: (listener) => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  })
  return {
    result: code.then((exit) => ({ code: exit, ...text })),
    interrupt: (signal = 'SIGINT') => {
      for (const listener of listeners) listener(signal)
    },
  }
}

/** A directory with a two-line Procfile, and a LOCALD_HOME in which nothing runs. */
function createProject(files: Readonly<Record<string, string>>): { home: string; cwd: string } & Disposable {
  const top = realpathSync(mkdtempSync(join(tmpdir(), 'cm-')))
  const cwd = join(top, 'shop')
  mkdirSync(join(cwd, '.git'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  return { home: join(top, 'h'), cwd, [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }) }
}

const procfile = { Procfile: 'web: exec sleep 1000\nworker: exit 3\n' }

function snapshot(name: string, fields: Partial<ServiceSnapshot> = {}): ServiceSnapshot {
  return {
    name,
    instance: 1,
    type: 'worker',
    state: 'running',
    health: { status: 'healthy', source: 'process' },
    pid: 1,
    port: null,
    ports: [],
    url: null,
    restarts: 0,
    exit: null,
    started_at: '2026-01-01T00:00:00.000Z',
    ready_after_ms: 12,
    depends_on: [],
    warnings: [],
    run: 1,
    waiting_for: [],
    reason: null,
    retry_at: null,
    ...fields,
  }
}

function shop(...services: readonly ServiceSnapshot[]): ProjectStatus {
  return { id: 'p1', project: 'shop', root: '/shop', file: '/shop/locald.toml', services, warnings: [] }
}

const at = '2026-01-01T00:00:00.000Z'
const down = { state: 'stopped', health: { status: 'none', source: null }, pid: null } as const

/** A daemon that knows one project, and answers an order with these events. */
function carryOut(before: ProjectStatus, eventsOf: (order: OrderRequest) => readonly object[]) {
  let order: OrderRequest | undefined
  return ({ path, body, json, response }: FakeRequest): void => {
    if (path === '/v1/status') json(before)
    else if (path === '/v1/orders') {
      order ??= body as OrderRequest
      json({ order: order.order, seq: 10, status: before })
    } else if (path === '/v1/logs') {
      response.end(
        `${JSON.stringify({ at, service: 'web', stream: 'pty', run: 1, text: 'the disk is made of cheese' })}\n`,
      )
    } else if (path === '/v1/events' && order !== undefined) {
      const events = eventsOf(order)
      response.write(
        events.map((event, index) => eventText({ seq: 11 + index, at, ...event } as { seq: number })).join(''),
      )
    }
  }
}

function changed(type: string, service: ServiceSnapshot): object {
  return { type, project: 'p1', service: service.name, instance: 1, snapshot: service }
}

function ended({ order, kind }: OrderRequest, outcome: string, problems: readonly string[] = []): object {
  return { type: 'order.ended', project: 'p1', order, kind, outcome, problems }
}

test('without a daemon, `status` tells from the configuration that everything is stopped, and starts nothing', async () => {
  using project = createProject(procfile)
  const { code, stdout } = await startMain(['status', '--json'], project).result
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    project: 'shop',
    root: project.cwd,
    services: [
      { name: 'web', state: 'stopped', pid: null },
      { name: 'worker', state: 'stopped' },
    ],
  })
  expect(existsSync(project.home)).toBe(false)
})

test('without a daemon, `ports` and `why` name who has a port that a service is to have', async () => {
  await using holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  const toml = `[services.web]\ncommand = "x"\nport = ${port}\n[services.api]\ncommand = "x $PORT"\n`
  using project = createProject({ 'locald.toml': toml })
  const ports = JSON.parse((await startMain(['ports', '--json'], project).result).stdout) as unknown
  expect(ports).toEqual({
    ports: [
      expect.objectContaining({ service: 'web', port, kind: 'fixed', listening: false }),
      expect.objectContaining({ service: 'api', kind: 'assigned', listening: false, holder: null }),
    ],
  })
  expect(ports).toMatchObject({ ports: [{ holder: { pid: process.pid, command: expect.any(String) } }, {}] })
  const why = JSON.parse((await startMain(['why', 'web', '--json'], project).result).stdout) as unknown
  expect(why).toMatchObject({
    summary: expect.stringContaining(`its port ${port} is taken by pid ${process.pid}`),
    ports: [{ port, holder: { pid: process.pid } }],
    advice: [expect.stringContaining(`port ${port}`), 'Start it: locald up'],
  })
})

test('`run` without a command starts that of the service with the ports that the daemon tells of', async () => {
  const toml =
    '[services.api]\ncommand = "x $PORT"\n[services.web]\ncommand = "echo ${services.api.port} $API_PORT > told"\n'
  using project = createProject({ 'locald.toml': toml })
  const variable = { name: 'API_PORT', value: '31000', source: 'sibling', file: null, line: null }
  await using daemon = await startFakeDaemon(({ json }) => {
    json({ service: 'web', variables: [variable], ports: { api: [31_000], web: [] } })
  })
  const run = await startMain(['run', 'web'], { home: daemon.home, cwd: project.cwd }).result
  expect(run).toMatchObject({ code: 0, stderr: '' })
  expect(readFileSync(join(project.cwd, 'told'), 'utf8')).toBe('31000 31000\n')
})

test('outside of a project, `status --json` has an empty list', async () => {
  using project = createProject({})
  const { code, stdout } = await startMain(['status', '--json'], project).result
  expect({ code, answer: JSON.parse(stdout) as unknown }).toEqual({ code: 0, answer: { projects: [] } })
})

test('`--dir` and `-f` choose another place', async () => {
  using project = createProject(procfile)
  const elsewhere = { home: project.home, cwd: '/' }
  const fromDir = await startMain(['--dir', project.cwd, 'check', '--json'], elsewhere).result
  const fromFile = await startMain(['check', '--json', '-f', join(project.cwd, 'Procfile')], elsewhere).result
  for (const { stdout } of [fromDir, fromFile]) expect(JSON.parse(stdout)).toMatchObject({ format: 'procfile' })
  expect(await startMain(['--dir', '/nonexistent', 'status'], elsewhere).result).toMatchObject({ code: 2 })
})

test('`check` reports all faults with their places and exits 2', async () => {
  using project = createProject({ 'locald.toml': '[services.web]\ncomand = "x"\nport = "y"\n' })
  const { code, stderr, stdout } = await startMain(['check'], project).result
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('--> locald.toml:2:1')
  expect(stderr).toContain('3 | port = "y"')
  const json = await startMain(['check', '--json'], project).result
  expect(JSON.parse(json.stdout)).toMatchObject({ format: 'toml', diagnostics: [{ line: 2 }, { line: 3 }] })
})

test('`check` reports what only planning finds along with what reading does, each with its line', async () => {
  const toml =
    '[services.w]\ntype = "worker"\ncommand = "sleep 1"\n[services.a]\ncomand = "x"\ncommand = "echo ${services.w.port}"\n'
  using project = createProject({ 'locald.toml': toml })
  const { code, stderr } = await startMain(['check'], project).result
  expect(code).toBe(2)
  expect(stderr).toContain('--> locald.toml:5:1\n')
  expect(stderr).toContain('5 | comand = "x"')
  expect(stderr).toContain('--> locald.toml:6:11\n')
  expect(stderr).toContain('6 | command = "echo ${services.w.port}"')
})

test('`check --json` answers also when an env file cannot be read, and names it', async () => {
  using project = createProject(procfile)
  // Root may read every file; nobody can follow a link to itself.
  symlinkSync('.env', join(project.cwd, '.env'))
  const { code, stdout, stderr } = await startMain(['check', '--json'], project).result
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({
    project: 'shop',
    services: [{ name: 'web' }, { name: 'worker' }],
    diagnostics: [{ severity: 'error', code: 'env-file-unreadable', file: join(project.cwd, '.env') }],
  })
})

test('an unknown service, an unknown instance and a missing configuration are said alike by all commands', async () => {
  using project = createProject(procfile)
  const told = async (...argv: readonly string[]): Promise<string> => (await startMain(argv, project).result).stderr
  await using daemon = await startFakeDaemon(({ json }) => json(shop(snapshot('web'), snapshot('worker'))))
  const waited = async (...argv: readonly string[]): Promise<string> =>
    (await startMain(['wait', ...argv], { home: daemon.home, cwd: project.cwd }).result).stderr
  for (const name of ['wbe', 'nothing-like-it', 'web.7']) {
    const [first, ...others] = [
      await told('env', name),
      await told('run', name),
      await told('why', name),
      await waited(name),
    ]
    expect(first).toMatch(/^error: There is no (service|instance)/u)
    expect(new Set(others)).toEqual(new Set([first]))
  }
  expect(await told('env', 'web.7')).toContain('It has one instance: "web"')

  using empty = createProject({})
  await using outside = await startFakeDaemon(({ json }) => json({ projects: [] }))
  const wait = await startMain(['wait'], { home: outside.home, cwd: empty.cwd }).result
  expect(wait).toMatchObject({ code: 2, stderr: (await startMain(['env', 'web'], empty).result).stderr })
})

test('`ports` numbers the services that have several instances, in their own project', async () => {
  const row = { port: 1, kind: 'assigned', listening: false, holder: null, instance: 1, service: 'api' }
  const ports = [
    { ...row, project: 'a' },
    { ...row, project: 'b' },
    { ...row, project: 'b', instance: 2 },
  ]
  await using daemon = await startFakeDaemon(({ json }) => json({ ports }))
  const { stdout } = await startMain(['ports'], daemon).result
  expect(
    stdout
      .split('\n')
      .slice(1, 4)
      .map((line) => line.split(/ +/)[2]),
  ).toEqual(['api', 'api.1', 'api.2'])
})

test('`logs --follow --until` contradicts itself', async () => {
  using project = createProject(procfile)
  expect(await startMain(['logs', '-f', '--until', '1m'], project).result).toMatchObject({ code: 2 })
})

test('`check` lists what it found line by line, and says when there are no services', async () => {
  using empty = createProject({ 'locald.toml': '', '.env': 'PORT=1\nnonsense\n' })
  const { code, stdout, stderr } = await startMain(['check'], empty).result
  expect([code, stdout]).toEqual([0, '✓ locald.toml: project "shop" with no services (3 warnings)\n'])
  expect([...stderr.matchAll(/--> (\S+):\d+$/gm)].map(([, place]) => place)).toEqual([
    'locald.toml:1',
    '.env:1',
    '.env:2',
  ])
})

test('`env`, `why`, `ports` and `config show` answer without a daemon; an unknown service is 4', async () => {
  using project = createProject(procfile)
  const env = await startMain(['env', 'web', '--json'], project).result
  expect(JSON.parse(env.stdout)).toMatchObject({ service: 'web' })
  expect((await startMain(['why', 'web'], project).result).stdout).toContain('"web" is stopped')
  expect((await startMain(['ports', '--json'], project).result).stdout).toContain('"ports"')
  expect((await startMain(['config', 'show', '--provenance'], project).result).stdout).toContain('# Procfile:1')
  const unknown = await startMain(['env', 'wbe'], project).result
  expect(unknown).toMatchObject({ code: 4 })
  expect(unknown.stderr).toContain('Did you mean "web"?')
  expect(existsSync(project.home)).toBe(false)
})

test('errors of a command with --json are JSON on stderr', async () => {
  using project = createProject(procfile)
  const { code, stderr } = await startMain(['why', 'nobody', '--json'], project).result
  expect(code).toBe(4)
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'service_unknown' } })
  const usage = await startMain(['why', '--json'], project).result
  expect([usage.code, JSON.parse(usage.stderr)]).toMatchObject([2, { error: { code: 'usage' } }])
})

test('`run` gives the command its environment and passes its exit on; 125 is locald itself', async () => {
  using project = createProject(procfile)
  const run = async (...argv: readonly string[]): Promise<number> =>
    (await startMain(['run', ...argv], project).result).code
  expect(await run('web', '--', 'sh', '-c', 'test "$LOCALD_SERVICE$PS" = webweb.1 && exit 7')).toBe(7)
  expect(await run('web', '--', 'sh', '-c', 'kill -KILL $$')).toBe(137)
  expect(await run('web', '--', 'no-such-command')).toBe(127)
  expect(await run('web', '--', project.cwd)).toBe(126)
  expect(await run('worker')).toBe(3)
  expect(await run('nobody', '--', 'true')).toBe(125)
  using site = createProject({ 'locald.toml': '[services.docs]\ntype = "site"\npath = "."\n' })
  const without = await startMain(['run', 'docs'], site).result
  expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('Cannot run "docs": it has no command') })
  const tooLong = await startMain(['run', 'web', '--', 'true', 'x'.repeat(200_000)], project).result
  expect(tooLong).toMatchObject({ code: 125, stderr: expect.stringContaining('Cannot run "true": E2BIG') })
  using lost = createProject({ 'locald.toml': '[services.web]\ncommand = "true"\nworkdir = "nowhere"\n' })
  const nowhere = await startMain(['run', 'web'], lost).result
  expect(nowhere).toMatchObject({ code: 125, stderr: expect.stringContaining('there is no directory') })
})

test('`run` waits for its command and passes signals on, Ctrl-C too where no terminal sends it', async () => {
  using project = createProject(procfile)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const watcher = watch(project.cwd)
    const isReady = once(watcher, 'change')
    const script = `trap "exit 7" ${signal.slice(3)}; touch ready; while :; do sleep 0.05; done`
    const run = startMain(['run', 'web', '--', 'sh', '-c', script], project)
    await isReady
    watcher.close()
    run.interrupt(signal)
    expect((await run.result).code).toBe(7)
    rmSync(join(project.cwd, 'ready'))
  }
})

test('`stop` and `server stop` succeed where nothing runs, and start nothing', async () => {
  using project = createProject(procfile)
  expect(await startMain(['stop'], project).result).toMatchObject({ code: 0, stderr: 'Nothing is running\n' })
  expect(await startMain(['server', 'stop'], project).result).toMatchObject({ code: 0 })
  expect(existsSync(project.home)).toBe(false)
})

test('`server stop` ends the keeper of a daemon that fails to answer', async () => {
  const keeper = spawn('sleep', ['1000'], { stdio: 'ignore' })
  const ended = once(keeper, 'exit')
  await using daemon = await startFakeDaemon(({ path, json }) => {
    if (path === '/v1/server') json({ daemon: null, keeper: { pid: keeper.pid, version: '1.2.3', started_at: at } })
    else json({ error: { code: 'internal', message: 'Cannot answer: cheese' } }, 500)
  })
  mkdirSync(join(daemon.home, 'state'))
  writeFileSync(join(daemon.home, 'state', 'keeper.lock'), `${keeper.pid} ${startTimeOf(keeper.pid ?? 0)}\n`)
  const { code, stderr } = await startMain(['server', 'stop'], daemon).result
  expect(await ended).toEqual([null, 'SIGTERM'])
  expect(code).toBe(0)
  expect(stderr).toContain('warning: Cannot answer: cheese')
  // The next daemon must not bring back what was stopped.
  expect(existsSync(join(daemon.home, 'state', 'stopped'))).toBe(true)
})

test('`init` writes what it finds, and never overwrites', async () => {
  using project = createProject(procfile)
  expect(await startMain(['init'], project).result).toMatchObject({ code: 0 })
  expect((await startMain(['check'], project).result).stdout).toContain('locald.toml')
  expect(await startMain(['init', '--yes'], project).result).toMatchObject({ code: 2 })
  using empty = createProject({})
  expect(await startMain(['init'], empty).result).toMatchObject({ code: 2 })
})

test('`up` prints each change to stderr, and the table to stdout', async () => {
  const waiting = snapshot('api', { ...down, state: 'waiting', run: 0 })
  const unmet = [{ service: 'web', condition: 'healthy', reason: 'starting' }] as const
  await using daemon = await startFakeDaemon(
    carryOut(shop(snapshot('web', down), waiting), (order) => [
      changed(
        'service.starting',
        snapshot('web', { state: 'starting', health: { status: 'starting', source: 'tcp' } }),
      ),
      changed('service.waiting', { ...waiting, waiting_for: unmet }),
      changed('service.healthy', snapshot('web')),
      changed('service.healthy', snapshot('api')),
      ended(order, 'done'),
    ]),
  )
  const { code, stdout, stderr } = await startMain(['up', 'web', 'api', '--env', 'A=1', '--timeout', '9s'], daemon)
    .result
  expect(code).toBe(0)
  expect(stderr.split('\n').slice(0, 4)).toEqual([
    'web starting (tcp)',
    'api waiting for web (starting)',
    'web healthy (process) after 12ms',
    'api healthy (process) after 12ms',
  ])
  expect(stdout).toMatch(/^NAME .*\nweb +running +healthy +process .*\napi /u)
  expect(daemon.bodies[0]).toMatchObject({
    kind: 'up',
    services: ['web', 'api'],
    env: { A: '1' },
    timeout_ms: 9000,
    dir: daemon.home,
    shell_env: { HOME: daemon.home },
  })
})

test('`up`, `restart` and `stop` in a pipe tell what changes, not what was before', async () => {
  const before = shop(snapshot('gen', { state: 'completed' }), snapshot('web'), snapshot('api'))
  const planned = { type: 'project.planned', project: 'p1', status: before }
  const isUnderWay = shop(snapshot('gen', { state: 'starting' }), snapshot('web', down), snapshot('api'))
  const lines = async (command: string, ...events: readonly object[]): Promise<readonly string[]> => {
    await using daemon = await startFakeDaemon(
      carryOut(command === 'stop' ? before : isUnderWay, (order) => [
        ...(command === 'stop' ? [] : [planned]),
        {
          type: 'order.accepted',
          project: 'p1',
          order: order.order,
          kind: order.kind,
          services: ['gen', 'web', 'api'],
        },
        ...events,
        ended(order, 'done'),
      ]),
    )
    return (await startMain([command], daemon).result).stderr.split('\n').slice(0, events.length)
  }
  const starting = snapshot('gen', { state: 'starting', health: { status: 'starting', source: 'process' }, run: 2 })
  const done = snapshot('gen', { state: 'completed', run: 2 })
  for (const command of ['up', 'restart']) {
    expect(await lines(command, changed('service.starting', starting), changed('service.completed', done))).toEqual([
      'gen starting (process)',
      'gen completed after 12ms',
    ])
  }
  expect(
    await lines(
      'stop',
      changed('service.stopping', snapshot('web', { state: 'stopping' })),
      changed('service.stopped', snapshot('web', down)),
    ),
  ).toEqual(['web stopping', 'web stopped'])
})

test('`up` reports who failed, how, and its last words', async () => {
  const dead = snapshot('web', {
    state: 'failed',
    health: { status: 'none', source: null },
    started_at: new Date(Date.now() + 1000).toISOString(),
    reason: 'exited with code 3',
  })
  await using daemon = await startFakeDaemon(
    carryOut(shop(snapshot('web', down)), (order) => [
      changed('service.failed', dead),
      ended(order, 'failed', ['web: exited with code 3']),
    ]),
  )
  const { code, stdout, stderr } = await startMain(['up'], daemon).result
  expect(code).toBe(1)
  expect(stderr).toContain('✗ web failed: exited with code 3\n  | the disk is made of cheese\n')
  expect(stderr).toContain('error: "locald up" failed: not everything came up')
  // Once as it happens, and once in the report.
  expect(`${stdout}${stderr}`.split('exited with code 3')).toHaveLength(3)
})

test('`stop --json` that leaves something is an error in JSON, and nothing else is on stderr', async () => {
  await using daemon = await startFakeDaemon(
    carryOut(shop(snapshot('web')), (order) => [
      changed('service.stopping', snapshot('web', { state: 'stopping' })),
      ended(order, 'failed', ['web: left over: pid 7']),
    ]),
  )
  const { code, stdout, stderr } = await startMain(['stop', '--json'], daemon).result
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ project: 'shop' })
  expect(JSON.parse(stderr)).toEqual({
    error: { code: 'order_failed', message: '"locald stop" failed: something is left: web: left over: pid 7' },
  })
})

test('`up` quotes nobody who was not started by it', async () => {
  const dead = snapshot('web', { state: 'failed', started_at: new Date().toISOString(), reason: 'exited with code 3' })
  const earlier = {
    state: 'failed',
    health: dead.health,
    reason: 'dependency "web" failed: exited with code 3',
  } as const
  await using daemon = await startFakeDaemon(
    carryOut(shop(snapshot('web', down), snapshot('api', down), snapshot('job', down)), (order) => [
      changed('service.failed', { ...dead, started_at: new Date(Date.now() + 1000).toISOString() }),
      changed('service.failed', snapshot('api', { ...earlier, started_at: at })),
      changed('service.failed', snapshot('job', { ...earlier, started_at: null, run: 0 })),
      ended(order, 'failed'),
    ]),
  )
  const { stderr } = await startMain(['up'], daemon).result
  expect(stderr).toContain('✗ web failed: exited with code 3\n  | the disk is made of cheese\n')
  expect(stderr.split('made of cheese')).toHaveLength(2)
})

test('`up` that a later order took over says so', async () => {
  await using daemon = await startFakeDaemon(
    carryOut(shop(snapshot('web', down)), (order) => [ended(order, 'superseded')]),
  )
  const { code, stderr } = await startMain(['up'], daemon).result
  expect(code).toBe(1)
  expect(stderr).toContain('superseded')
})

test('Ctrl-C in `up` detaches with 130', async () => {
  const run: { current: Run | null } = { current: null }
  const answer = carryOut(shop(snapshot('web', down)), () => [changed('service.starting', snapshot('web', down))])
  await using daemon = await startFakeDaemon((request) => {
    answer(request)
    if (request.path === '/v1/events') run.current?.interrupt()
  })
  run.current = startMain(['up'], daemon)
  const { code, stderr } = await run.current.result
  expect(code).toBe(130)
  expect(stderr).toContain('goes on in the background')
})

test('a second Ctrl-C in `stop` kills, and what is left over is listed', async () => {
  const run: { current: Run | null } = { current: null }
  const orders: OrderRequest[] = []
  const project = shop(snapshot('web'), snapshot('api', { depends_on: ['web'] }))
  await using daemon = await startFakeDaemon(({ path, body, json, response }) => {
    if (path === '/v1/status') json(project)
    else if (path === '/v1/orders') {
      orders.push(body as OrderRequest)
      json({ order: 'x', seq: 1, status: project })
      const [first, second] = orders
      if (first !== undefined && second !== undefined)
        streaming?.(eventText({ seq: 9, at, ...ended(first, 'failed', ['pid 7 (sleep)']) } as { seq: number }))
    } else if (path === '/v1/events') {
      streaming = (text) => response.write(text)
      response.write(
        eventText({ seq: 2, at, ...changed('service.stopping', snapshot('web', { state: 'stopping' })) } as {
          seq: number
        }),
      )
      run.current?.interrupt()
      run.current?.interrupt()
    }
  })
  let streaming: ((text: string) => void) | undefined
  run.current = startMain(['stop', 'web'], daemon)
  const { code, stderr } = await run.current.result
  expect(orders.map(({ now = false }) => now)).toEqual([false, true])
  expect(code).toBe(1)
  expect(stderr).toContain('pid 7 (sleep)')
  expect(stderr).toContain('Still running, and in need of "web": api')
})

test('an older daemon is pointed out once, a newer one is left alone', async () => {
  await using older = await startFakeDaemon(({ json }) => json(shop(snapshot('web'))), '1.2.2')
  const told = await startMain(['status'], older).result
  expect(told.code).toBe(0)
  expect(told.stderr).toContain('locald server restart')
  await using newer = await startFakeDaemon(({ json }) => json(shop(snapshot('web'))), '1.10.0')
  expect((await startMain(['status'], newer).result).stderr).toBe('')
})

test('`logs` merges with names in front and leaves no power over the terminal to what services print', async () => {
  await using daemon = await startFakeDaemon(({ path, json, response }) => {
    if (path === '/v1/status') json(shop(snapshot('web'), snapshot('longer-name')))
    else
      for (const [service, text] of [
        ['web', '\u001b[2J\u001b[31mred\u001b[0m'],
        ['longer-name', 'plain'],
      ])
        response.write(`${JSON.stringify({ at, service, stream: 'pty', run: 1, text })}\n`)
    response.end()
  })
  const { code, stdout } = await startMain(['logs', '-n', '2', '--since', '5m'], daemon).result
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'web         | red\nlonger-name | plain\n' })
  expect(await startMain(['logs', '--grep', '('], daemon).result).toMatchObject({ code: 2 })
})

test('`wait` returns when all are ready, and fails when one is not', async () => {
  const first = shop(snapshot('web', { state: 'starting', health: { status: 'starting', source: 'tcp' } }))
  const waitFor = async (event: object): Promise<Result> => {
    await using daemon = await startFakeDaemon(({ path, json, response }) => {
      if (path === '/v1/status') json(first)
      else
        response.write(
          eventText({ type: 'snapshot', seq: 1, projects: [first] } as { seq: number }) +
            eventText({ seq: 2, at, ...event } as { seq: number }),
        )
    })
    return await startMain(['wait', 'web', '--timeout', '5s'], daemon).result
  }
  expect(await waitFor(changed('service.healthy', snapshot('web')))).toMatchObject({ code: 0 })
  const dead = snapshot('web', { state: 'failed', reason: 'exited with code 3' })
  const failed = await waitFor(changed('service.failed', dead))
  expect(failed).toMatchObject({ code: 1 })
  expect(failed.stderr).toContain('web failed: exited with code 3')
})

test('`events` prints what the daemon still knows, up to now, and only of this project', async () => {
  const events = [
    { type: 'order.accepted', seq: 4, at, project: 'p1', order: 'o', kind: 'up', services: ['web'] },
    { type: 'service.healthy', seq: 5, at, project: 'p2', service: 'other', instance: 1, snapshot: snapshot('other') },
    { type: 'service.healthy', seq: 6, at, project: 'p1', service: 'web', instance: 1, snapshot: snapshot('web') },
  ]
  await using daemon = await startFakeDaemon(({ path, query, json, response }) => {
    if (path === '/v1/status') json(shop(snapshot('web')))
    else {
      const after = query.has('after') ? Number(query.get('after')) : -1
      // It knows nothing of what was before 4.
      if (after < 3) response.write(eventText({ type: 'snapshot', seq: 7, projects: [] } as { seq: number }))
      const isWanted = (event: (typeof events)[number]): boolean => !query.has('dir') || event.project === 'p1'
      for (const event of events)
        if (after >= 3 && event.seq > after && isWanted(event)) response.write(eventText(event))
      // Not everything that is numbered is an event: 7 never comes.
      if (query.get('follow') === '0') response.end()
    }
  })
  const { code, stdout } = await startMain(['events', '--json'], daemon).result
  expect(code).toBe(0)
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([events[0], events[2]])
  expect((await startMain(['events', '--all', '-n', '2'], daemon).result).stdout).toMatch(
    /service\.healthy {2}web\.1 healthy/u,
  )
})

test('a daemon that cannot be started is exit code 3, with the keeper log', async () => {
  using project = createProject(procfile)
  const { code, stderr } = await startMain(['up'], project).result
  expect(code).toBe(3)
  expect(stderr).toContain('/nonexistent/keeper.cjs')
})

test('help and version are answers; a wrong word is exit code 2', async () => {
  using project = createProject({})
  expect((await startMain(['--help'], project).result).stdout).toContain('status, ps')
  expect((await startMain(['logs', '--help'], project).result).stdout).toContain('-f, --follow')
  expect(await startMain(['--version'], project).result).toMatchObject({ code: 0, stdout: '1.2.3\n' })
  expect(await startMain(['pu'], project).result).toMatchObject({ code: 2 })
})
