// The keeper as a process of its own, with a scripted daemon that hands its connection to the keeper on to the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chownSync,
  closeSync,
  openSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectKeeper } from './client.ts'
import { isAlive, readFrames } from './keeper-rig.ts'
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { InheritedListener } from '../lib/inherited-listener.ts'
import type { KeeperLink } from './keeper-link.ts'
import type { CrashLoop } from './daemon-process.ts'
import type { Fact, SpawnOrder } from './protocol.ts'

const here = dirname(fileURLToPath(import.meta.url))
// Below the package, so that its dependencies are found from there.
const cache = join(here, '../../node_modules/.cache')
let built = ''

const scriptedDaemon = `
const { existsSync } = require('node:fs'), net = require('node:net')
console.log('daemon', process.pid)
if (existsSync(process.env.CRASH)) { console.log('daemon: out of luck'); process.exit(1) }
process.on('SIGTERM', () => process.exit(0))
const keeper = new net.Socket({ fd: 4 })
keeper.on('end', () => process.exit(0))
net.createServer((client) => { client.pipe(keeper); keeper.pipe(client) }).listen({ fd: 3 })
for (const { fd, tls } of JSON.parse(process.env.LOCALD_LISTENERS)) {
  net.createServer((client) => client.end(process.pid + ' ' + tls)).listen({ fd })
}
console.log('listeners', process.env.LOCALD_LISTENERS)
`

beforeAll(async () => {
  mkdirSync(cache, { recursive: true })
  built = mkdtempSync(join(cache, 'keeper-'))
  await build({
    config: false,
    entry: { keeper: join(here, '../bin/keeper.ts') },
    format: 'cjs',
    outDir: built,
    clean: false,
    dts: false,
    noExternal: [/.*/],
    external: [/^koffi$/],
    logLevel: 'error',
  })
  writeFileSync(join(built, 'daemon.cjs'), scriptedDaemon)
})

afterAll(() => {
  rmSync(built, { recursive: true, force: true })
})

/** A descriptor that Node does not close by itself. */
const accidental = 40

class Installed implements AsyncDisposable {
  readonly home = mkdtempSync(join(tmpdir(), 'locald-main-'))
  readonly crash = join(this.home, 'crash')
  readonly #log: number
  readonly #keepers: ChildProcess[] = []
  readonly #links: KeeperLink[] = []

  /** `log` may be below its home. */
  constructor(log = '/dev/null') {
    const path = resolve(this.home, log)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#log = openSync(path, 'a', 0o600)
  }

  get socketPath(): string {
    return join(this.home, 'run/api.sock')
  }

  /** Starts a keeper as the command line does; gives its answer. */
  async keeper(
    args: readonly string[] = [],
    home = this.home,
  ): Promise<{ readonly child: ChildProcess; readonly answer: string }> {
    const child = spawn(process.execPath, [join(built, 'keeper.cjs'), ...args], {
      detached: true,
      stdio: Array.from({ length: accidental + 1 }, (_, fd) => this.#stdio(fd)),
      env: {
        PATH: process.env['PATH'],
        LOCALD_HOME: home,
        LOCALD_HTTP_PORT: '0',
        LOCALD_HTTPS_PORT: '0',
        CRASH: this.crash,
        LOCALD_RUN: 'outer',
      },
    })
    this.#keepers.push(child)
    return { child, answer: (await textOf(child.stdio[3] as Readable)).trim() }
  }

  /** Through the daemon; waits while there is none. */
  async link(facts: Fact[] = []): Promise<KeeperLink> {
    const socket = await connected(this.socketPath)
    const link = connectKeeper(socket)
    this.#links.push(link)
    link.onFact((fact) => facts.push(fact))
    return link
  }

  daemonPids(): readonly number[] {
    const log = readFileSync(join(this.home, 'state/daemon.log'), 'utf8')
    return [...log.matchAll(/^daemon (\d+)$/gm)].map(([, pid]) => Number(pid))
  }

  /** What the newest daemon was told of, once it accepts. */
  async listeners(): Promise<readonly InheritedListener[]> {
    const log = join(this.home, 'state/daemon.log')
    const [line] = await untilChanged(join(this.home, 'state'), () =>
      existsSync(log) ? (/^listeners (.*)$/m.exec(readFileSync(log, 'utf8')) ?? undefined) : undefined,
    )
    return JSON.parse(line.slice('listeners '.length)) as readonly InheritedListener[]
  }

  order(run: string, command: string): SpawnOrder {
    return {
      run,
      tag: { service: run },
      argv: ['/bin/sh', '-c', command],
      cwd: this.home,
      env: { PATH: process.env['PATH'] ?? '' },
      tty: { cols: 80, rows: 24 },
      log: { stream: `p/${run}`, run: 1, segmentBytes: 1 << 20, segments: 2 },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links) await link[Symbol.asyncDispose]()
    for (const child of this.#keepers) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    closeSync(this.#log)
    rmSync(this.home, { recursive: true, force: true })
  }

  #stdio(fd: number): 'ignore' | 'pipe' | number {
    if (fd === 2) return this.#log
    return fd === 3 || fd === accidental ? 'pipe' : 'ignore'
  }
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path)
  await once(socket, 'connect')
  return socket
}

/** Resolves once `ask` has an answer, asking again whenever something in the folder changes. */
async function untilChanged<T>(folder: string, ask: () => T | undefined): Promise<T> {
  const watcher = watch(folder)
  try {
    for (;;) {
      const answer = ask()
      if (answer !== undefined) return answer
      await once(watcher, 'change')
    }
  } finally {
    watcher.close()
  }
}

const hello = { version: 'test', ack: 0 } as const

test('of two keepers that race one is ready, and the other says so', async () => {
  await using installed = new Installed()
  const answers = await Promise.all([installed.keeper(), installed.keeper(), installed.keeper()])
  expect(answers.map(({ answer }) => answer).sort()).toEqual(['held', 'held', 'ready'])
  expect(statSync(installed.socketPath).mode & 0o777).toBe(0o600)
  expect(statSync(join(installed.home, 'state')).mode & 0o777).toBe(0o700)
})

test('a daemon that is killed is replaced, services run on, and unacknowledged facts are told again', async () => {
  await using installed = new Installed()
  await installed.keeper()
  const first = await installed.link()
  expect(await first.request('hello', hello)).toMatchObject({ protocol: 2, runs: [] })
  expect(await first.request('spawn', installed.order('a', 'echo up; sleep 600'))).toMatchObject({ ok: true })
  const lost = new Promise<void>((resolve) => first.onLost(resolve))
  const [pid = 0] = installed.daemonPids()
  process.kill(pid, 'SIGKILL')
  await lost

  const facts: Fact[] = []
  const second = await installed.link(facts) // waits, and is not refused
  const { runs } = await second.request('hello', hello)
  expect(runs).toMatchObject([{ run: 'a', tag: { service: 'a' }, exited: null, ending: false, tty: true }])
  const service = runs[0]?.identity.pid ?? 0
  expect(isAlive(service)).toBe(true)
  await second.request('end', { run: 'a', signal: 'SIGTERM', scope: 'group', timeoutMs: 5000 })
  const again = await untilFact(second, facts, 'emptied')
  expect(again.map(({ type }) => type)).toEqual(['spawned', 'exited', 'emptied'])
  const [firstSeq = 0, , lastSeq = 0] = again.map(({ seq }) => seq)
  expect(lastSeq).toBe(firstSeq + 2)
  await second.request('ack', { seq: lastSeq })
  expect(await second.request('list', {})).toEqual({ runs: [] })
  expect(await second.request('spawn', installed.order('a', 'true'))).toEqual({ ok: false, reason: 'duplicate' })
  expect(installed.daemonPids()).toHaveLength(2)
})

async function untilFact(link: KeeperLink, facts: readonly Fact[], type: Fact['type']): Promise<readonly Fact[]> {
  // Answers and facts come in the order in which they happened.
  while (!facts.some((fact) => fact.type === type)) await link.request('list', {})
  return facts
}

test('shutdown waits for services, then daemon and keeper end and leave no socket', async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const facts: Fact[] = []
  const link = await installed.link(facts)
  await link.request('hello', hello)
  await link.request('spawn', installed.order('a', 'sleep 600'))
  expect(await link.request('shutdown', {})).toEqual({ running: 1 })
  await link.request('end', { run: 'a', signal: 'SIGTERM', scope: 'group', timeoutMs: 0 })
  await untilFact(link, facts, 'emptied')
  expect(await link.request('shutdown', {})).toEqual({ running: 0 })
  expect(await link.request('spawn', installed.order('b', 'true'))).toMatchObject({ ok: false, reason: 'failed' })
  for (const pid of installed.daemonPids()) process.kill(pid, 'SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(existsSync(installed.socketPath)).toBe(false)
  const { answer } = await installed.keeper()
  expect(answer).toBe('ready')
})

test('shutdown with restart gives a new daemon while services run on', async () => {
  await using installed = new Installed()
  await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  await link.request('spawn', installed.order('a', 'sleep 600'))
  expect(await link.request('shutdown', { restart: true })).toEqual({ running: 1 })
  const lost = new Promise<void>((resolve) => link.onLost(resolve))
  for (const pid of installed.daemonPids()) process.kill(pid, 'SIGTERM')
  await lost
  const next = await installed.link()
  expect((await next.request('hello', hello)).runs).toHaveLength(1)
})

/** What the proxy's listener at this port says: the daemon's pid, and whether it is for HTTPS. */
async function greeting({ port, family }: InheritedListener): Promise<string> {
  const socket = connect(port, family === 4 ? '127.0.0.1' : '::1').setEncoding('utf8')
  return await new Promise((resolve, reject) => {
    socket.on('data', resolve).on('error', reject)
    // A process that is killed may end what it has accepted without an error.
    socket.on('close', () => reject(Object.assign(new Error('It has ended'), { code: 'ECONNRESET' })))
  })
}

test("a daemon that is killed again and again refuses nobody at the proxy's ports", async () => {
  await using installed = new Installed()
  await installed.keeper()
  const listeners = await installed.listeners()
  expect(listeners.map(({ family, tls }) => `${family} ${tls}`).sort()).toEqual([
    '4 false',
    '4 true',
    '6 false',
    '6 true',
  ])
  const answers = new Set<string>()
  const over = new AbortController()
  const clients = listeners.map(async (listener) => {
    while (!over.signal.aborted) {
      // Whom a daemon has accepted ends with it; nobody is refused.
      const answer = await greeting(listener).catch((error: NodeJS.ErrnoException) => error.code ?? String(error))
      if (answer !== 'ECONNRESET') answers.add(answer.replace(` ${listener.tls}`, ' its own'))
    }
  })
  for (let kill = 1; kill <= 3; kill++) {
    process.kill(installed.daemonPids().at(-1) ?? 0, 'SIGKILL')
    const next = await untilChanged(join(installed.home, 'state'), () => installed.daemonPids()[kill])
    // It has come to accept.
    await (await installed.link()).request('hello', hello)
    expect(isAlive(next)).toBe(true)
  }
  over.abort()
  await Promise.all(clients)
  expect(answers.size).toBeGreaterThan(1)
  expect([...answers].filter((answer) => !/^\d+ its own$/.test(answer))).toEqual([])
})

test("the proxy's ports are closed with the API in a crash loop, and with the keeper", async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const [listener] = await installed.listeners()
  expect(await greeting(listener as InheritedListener)).toMatch(/^\d+ /)
  writeFileSync(installed.crash, '')
  process.kill(installed.daemonPids()[0] ?? 0, 'SIGKILL')
  await untilChanged(join(installed.home, 'run'), () => (existsSync(installed.socketPath) ? undefined : true))
  await expect(greeting(listener as InheritedListener)).rejects.toMatchObject({ code: 'ECONNREFUSED' })

  rmSync(installed.crash)
  await installed.keeper(['--retry'])
  await untilChanged(join(installed.home, 'run'), () => (existsSync(installed.socketPath) ? true : undefined))
  // Any free port is the same one again.
  expect(await greeting(listener as InheritedListener)).toMatch(/^\d+ /)
  child.kill('SIGTERM')
  await once(child, 'exit')
  await expect(greeting(listener as InheritedListener)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a daemon that keeps crashing is given up with its last lines, and tried again on demand', async () => {
  await using installed = new Installed()
  await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  await link.request('spawn', installed.order('a', 'sleep 600'))
  writeFileSync(installed.crash, '')
  const state = join(installed.home, 'state')
  const [daemon = 0] = installed.daemonPids()
  process.kill(daemon, 'SIGKILL')
  const note = await untilChanged(state, () => noteIn(join(state, 'crash-loop.json')))
  expect(note).toMatchObject({ crashes: 5, lastLines: expect.arrayContaining(['daemon: out of luck']) })
  await untilChanged(join(installed.home, 'run'), () => (existsSync(installed.socketPath) ? undefined : true))

  rmSync(installed.crash)
  expect((await installed.keeper(['--retry'])).answer).toBe('held')
  await untilChanged(join(installed.home, 'run'), () => (existsSync(installed.socketPath) ? true : undefined))
  const next = await installed.link()
  expect((await next.request('hello', hello)).runs).toMatchObject([{ run: 'a', exited: null }])
  expect(existsSync(join(state, 'crash-loop.json'))).toBe(false)
})

test('a program that a restart has named and that never starts is not tried again on demand', async () => {
  await using installed = new Installed()
  await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  const state = join(installed.home, 'state')
  await link.request('shutdown', { restart: true, program: join(installed.home, 'gone/daemon.cjs') })
  for (const pid of installed.daemonPids()) process.kill(pid, 'SIGTERM')
  const note = await untilChanged(state, () => noteIn(join(state, 'crash-loop.json')))
  expect(note?.lastLines.join('\n')).toContain('gone/daemon.cjs')
  await untilChanged(join(installed.home, 'run'), () => (existsSync(installed.socketPath) ? undefined : true))

  expect((await installed.keeper(['--retry'])).answer).toBe('held')
  await untilChanged(join(installed.home, 'run'), () => (existsSync(installed.socketPath) ? true : undefined))
  expect(await (await installed.link()).request('hello', hello)).toMatchObject({ runs: [] })
})

function noteIn(path: string): CrashLoop | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as CrashLoop
  } catch {
    return undefined
  }
}

test.each(['SIGTERM', '--end'])('%s ends all services, the daemon and the keeper', async (how) => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  const result = await link.request(
    'spawn',
    installed.order('a', 'trap "echo bye; exit" TERM; echo up; while :; do sleep 0.05; done'),
  )
  const grew = new Promise<void>((resolve) => link.onGrew(() => resolve()))
  await grew
  const ended = once(child, 'exit')
  if (how === 'SIGTERM') child.kill('SIGTERM')
  else await installed.keeper(['--end'])
  expect(await ended).toEqual([0, null])
  expect(result.ok && isAlive(result.identity.pid)).toBe(false)
  expect(installed.daemonPids().filter(isAlive)).toEqual([])
  const output = readFrames(join(installed.home, 'state/logs/p/a')).map(({ bytes }) => bytes.toString())
  expect(output.join('')).toContain('bye')
})

/** On pipes and deaf to a hang-up, as what outlives its keeper is. */
const stubborn = "trap '' HUP; echo up; sleep 600 & wait"

test('a keeper that was killed is followed by one that ends what is left, and tells of it', async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  const orders = [
    { ...installed.order('kind', stubborn), tty: null },
    { ...installed.order('deaf', "trap '' HUP TERM; sleep 600 & wait; wait"), tty: null },
    { ...installed.order('hidden', 'setsid env -i /bin/sleep 600 & sleep 0.1; exec sleep 600'), tty: null },
    installed.order('on-terminal', 'sleep 600'),
  ].map((order) => ({ ...order, recovery: { signal: 'SIGTERM', scope: 'group', timeoutMs: 300 } as const }))
  for (const order of orders) expect(await link.request('spawn', order)).toMatchObject({ ok: true })
  const members = async (): Promise<readonly number[]> => {
    const answers = await Promise.all(orders.map(({ run }) => link.request('members', { run })))
    return answers.flatMap((answer) => answer.members.map(({ pid }) => pid))
  }
  let before = await members()
  while (before.length < 7) before = await members()
  // Not this run's, though its pid is in the list: whoever had it before had another start time.
  const stranger = spawn('/bin/sleep', ['600'], { detached: true })
  const path = join(installed.home, 'state/runs.jsonl')
  const [, entry = ''] = readFileSync(path, 'utf8').trim().split('\n')
  const { identity, ...rest } = JSON.parse(entry) as { run: string; identity: { pid: number; startTime: number } }
  const wrong = { ...rest, run: 'gone', identity: { ...identity, pid: stranger.pid, marker: 'gone', lockLimit: 1 } }
  appendFileSync(path, `${JSON.stringify(wrong)}\n{"run":"torn`)

  child.kill('SIGKILL')
  await once(child, 'exit')
  await installed.keeper()
  const facts: Fact[] = []
  const next = await installed.link(facts)
  const { runs } = await next.request('hello', hello)
  expect(runs.map(({ run }) => run).sort()).toEqual(['deaf', 'gone', 'hidden', 'kind', 'on-terminal'])
  expect(runs.every(({ lost, exited }) => lost !== undefined && exited === null)).toBe(true)
  expect(runs.find(({ run }) => run === 'deaf')?.lost?.members.length).toBeGreaterThan(0)
  expect(runs.find(({ run }) => run === 'gone')?.lost).toEqual({ members: [] })
  expect(await next.request('spawn', installed.order('kind', 'true'))).toMatchObject({ reason: 'duplicate' })
  while (facts.filter(({ type }) => type === 'emptied').length < 5) await next.request('list', {})
  expect(facts.filter(({ type }) => type === 'exited')).toEqual([])
  expect(facts.filter(({ type }) => type === 'killed').map(({ run }) => run)).toEqual(['deaf'])
  expect(before.filter(isAlive)).toEqual([])
  expect(stranger.exitCode ?? stranger.signalCode).toBe(null)
  await next.request('ack', { seq: facts.at(-1)?.seq ?? 0 })
  expect(await next.request('list', {})).toEqual({ runs: [] })
  const recorded = readFrames(join(installed.home, 'state/logs/p/deaf')).filter(({ kind }) => kind === 'record')
  expect(JSON.parse(recorded.at(-1)?.bytes.toString() ?? '')).toMatchObject({ type: 'run.lost' })
  stranger.kill('SIGKILL')
})

test('a keeper that is told to end ends each service as was agreed, and what others need last', async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  const says = (name: string, signal: string, slowly = ''): string =>
    `trap '${slowly} echo ${name} >> ${installed.home}/ends; exit' ${signal}; echo up; while :; do sleep 0.05; done`
  const agreed = { scope: 'group', timeoutMs: 8000 } as const
  const orders = [
    {
      ...installed.order('db', says('db', 'INT')),
      recovery: { ...agreed, signal: 'SIGINT', order: { of: 'p', depth: 0 } },
    },
    {
      ...installed.order('web', says('web', 'USR1', 'sleep 0.5;')),
      recovery: { ...agreed, signal: 'SIGUSR1', order: { of: 'p', depth: 1 } },
    },
    {
      ...installed.order('deaf', "trap '' TERM; echo up; while :; do sleep 0.05; done"),
      recovery: { signal: 'SIGTERM', scope: 'group', timeoutMs: 200 } as const,
    },
  ]
  const grew = new Set<string>()
  const areUp = new Promise<void>((resolve) => link.onGrew((stream) => grew.add(stream).size === 3 && resolve()))
  for (const order of orders) expect(await link.request('spawn', order)).toMatchObject({ ok: true })
  await areUp
  const told = performance.now()
  child.kill('SIGTERM')
  await once(child, 'exit')
  expect(readFileSync(join(installed.home, 'ends'), 'utf8')).toBe('web\ndb\n')
  expect(performance.now() - told).toBeLessThan(5000)
})

test('a keeper finds what was started in the instant in which its predecessor was killed', async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  const order = { ...installed.order('a', stubborn), tty: null }
  const spawned = await link.request('spawn', order)
  const pid = spawned.ok ? spawned.identity.pid : 0
  child.kill('SIGKILL')
  await once(child, 'exit')
  // What it wrote after the fork is missing.
  const path = join(installed.home, 'state/runs.jsonl')
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  expect(JSON.parse(lines.pop() ?? '')).toMatchObject({ identity: { pid } })
  writeFileSync(path, `${lines.join('\n')}\n`)
  await installed.keeper()
  const facts: Fact[] = []
  const next = await installed.link(facts)
  await next.request('hello', hello)
  await untilFact(next, facts, 'emptied')
  expect(isAlive(pid)).toBe(false)
})

test('identities of another boot mean nothing', async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  const spawned = await link.request('spawn', { ...installed.order('a', stubborn), tty: null })
  const pid = spawned.ok ? spawned.identity.pid : 0
  child.kill('SIGKILL')
  await once(child, 'exit')
  const path = join(installed.home, 'state/runs.jsonl')
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"boot":"[^"]*"/g, '"boot":"another"'))
  await installed.keeper()
  const next = await installed.link()
  expect(await next.request('hello', hello)).toMatchObject({ runs: [] })
  expect(isAlive(pid)).toBe(true)
  process.kill(-pid, 'SIGKILL')
})

test('the log of a keeper stays small, with what came before beside it', async () => {
  await using installed = new Installed('state/keeper.log')
  const log = join(installed.home, 'state/keeper.log')
  truncateSync(log, 9 * 1024 * 1024)
  const { child } = await installed.keeper()
  expect(statSync(`${log}.1`).size).toBeGreaterThan(8 * 1024 * 1024)
  expect(statSync(log).size).toBeLessThan(100_000)
  child.kill('SIGTERM')
  await once(child, 'exit')
  expect(readFileSync(log, 'utf8').trimEnd().split('\n').at(-1)).toContain('The keeper ends')
})

test.runIf(existsSync('/dev/full'))('a log on a full disk does not end the keeper', async () => {
  await using installed = new Installed('/dev/full')
  expect((await installed.keeper()).answer).toBe('ready')
  const link = await installed.link()
  await link.request('hello', hello)
  const log = { ...installed.order('a', '').log, stream: '..' }
  await expect(link.request('append', { log, record: {} })).rejects.toThrow('not below') // and is logged
  expect(await link.request('spawn', installed.order('a', 'true'))).toMatchObject({ ok: true })
})

test('descriptors that the keeper was given by accident are closed', async () => {
  await using installed = new Installed()
  const { child, answer } = await installed.keeper()
  expect(answer).toBe('ready')
  expect(await textOf((child.stdio as readonly unknown[])[accidental] as Readable)).toBe('')
  expect(child.exitCode).toBe(null)
})

test('a socket path over the limit is an error that says what to do', async () => {
  await using installed = new Installed()
  const { answer, child } = await installed.keeper([], join(installed.home, 'x'.repeat(120)))
  const [word, ...json] = answer.split(' ')
  expect(word).toBe('error')
  expect(JSON.parse(json.join(' '))).toMatchObject({
    code: 'path_too_long',
    hint: expect.stringContaining('LOCALD_HOME'),
  })
  if (child.exitCode === null) await once(child, 'exit')
})

test.runIf(process.getuid?.() === 0)('a directory of another user is refused', async () => {
  await using installed = new Installed()
  mkdirSync(join(installed.home, 'state'))
  chownSync(join(installed.home, 'state'), 65534, 65534)
  const { answer, child } = await installed.keeper()
  expect(answer).toMatch(/^error \{"code":"directory_refused"/)
  if (child.exitCode === null) await once(child, 'exit')
})

test('twenty services fit into 80 MB', async () => {
  await using installed = new Installed()
  const { child } = await installed.keeper()
  const link = await installed.link()
  await link.request('hello', hello)
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      link.request('spawn', installed.order(`s${i}`, 'while :; do echo hello; sleep 0.1; done')),
    ),
  )
  await new Promise<void>((resolve) => link.onGrew((stream) => stream === 'p/s19' && resolve()))
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024
  expect(rss).toBeLessThan(80)
})
