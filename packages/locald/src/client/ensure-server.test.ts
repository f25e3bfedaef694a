import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { LocaldError } from '@locald/protocol'
import { expect, test } from 'vitest'
import { installationFor } from '../lib/installation.ts'
import { ensureServer } from './ensure-server.ts'
import type { ServerStart } from './ensure-server.ts'
import { isListening } from './is-listening.ts'

/** A keeper in a few lines: takes a lock by making a directory, and listens. */
const keeper = `
const { appendFileSync, existsSync, mkdirSync, writeSync, watch } = require('node:fs')
const { createServer } = require('node:net')
const { join } = require('node:path')
const home = process.env.LOCALD_HOME
appendFileSync(join(home, 'starts'), process.argv.slice(2).join(' ') + '|' + process.cwd() + '|' + (process.env.NODE_OPTIONS ?? '') + '\\n')
const say = (line) => writeSync(3, line + '\\n')
try {
  mkdirSync(join(home, 'held'))
} catch {
  say('held')
  process.exit(0)
}
const server = createServer((socket) => socket.on('error', () => {}))
const begin = () => server.listen(join(home, 'run', 'api.sock'), () => { say('ready'); require('node:fs').closeSync(3) })
if (existsSync(join(home, 'slow'))) setTimeout(begin, 300)
else begin()
`

interface Rig extends AsyncDisposable {
  readonly home: string
  readonly start: ServerStart
  readonly starts: () => readonly string[]
}

function createRig(program = keeper): Rig {
  const home = mkdtempSync(join(tmpdir(), 'es-'))
  const keeperProgram = join(home, 'keeper.cjs')
  const record = `require('node:fs').appendFileSync(process.env.LOCALD_HOME + '/pids', process.pid + '\\n')\n`
  writeFileSync(keeperProgram, record + program)
  const env = { PATH: process.env['PATH'], LOCALD_HOME: home, NODE_OPTIONS: '--no-warnings', npm_config_x: '1' }
  return {
    home,
    start: { installation: installationFor(env), keeperProgram, env, timeoutMs: 10_000 },
    starts: () => readFileSync(join(home, 'starts'), 'utf8').trimEnd().split('\n'),
    [Symbol.asyncDispose]: async () => {
      const pids = readFileSync(join(home, 'pids'), 'utf8').split('\n').filter(Boolean).map(Number)
      for (const pid of pids) await killed(pid)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Resolves when the process is gone. */
async function killed(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      return
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function rejection(promise: Promise<unknown>): Promise<LocaldError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof LocaldError)) throw new Error('Not rejected with a LocaldError', { cause: error })
  return error
}

test('ensureServer() starts the keeper in private directories, away from the caller, and only once', async () => {
  await using rig = createRig()
  await ensureServer(rig.start)
  expect(await isListening(rig.start.installation)).toBe(true)
  await ensureServer(rig.start)
  // Its own arguments, its directory, and no NODE_OPTIONS of a debugger.
  expect(rig.starts()).toEqual(['|/|'])
  expect(statSync(join(rig.home, 'state')).mode & 0o777).toBe(0o700)
  expect(statSync(join(rig.home, 'run')).mode & 0o777).toBe(0o700)
  expect(statSync(join(rig.home, 'state', 'keeper.log')).mode & 0o777).toBe(0o600)
})

test('commands that race all return once the one keeper listens', async () => {
  await using rig = createRig()
  writeFileSync(join(rig.home, 'slow'), '')
  await Promise.all(Array.from({ length: 4 }, () => ensureServer(rig.start)))
  expect(await isListening(rig.start.installation)).toBe(true)
  expect(rig.starts().length).toBeGreaterThan(1)
})

test('what the keeper reports is thrown as it is', async () => {
  await using rig = createRig(
    `require('node:fs').writeSync(3, 'error {"code":"directory_refused","message":"Not yours","hint":"Go"}\\n'); process.exit(1)`,
  )
  expect(await rejection(ensureServer(rig.start))).toMatchObject({
    code: 'directory_refused',
    message: 'Not yours',
    hint: 'Go',
  })
})

test('a keeper that dies is daemon_unreachable, with the last lines of its log', async () => {
  await using rig = createRig(`console.error('the disk is made of cheese'); process.exit(1)`)
  const error = await rejection(ensureServer(rig.start))
  expect(error).toMatchObject({
    code: 'daemon_unreachable',
    message: 'Cannot start the daemon: the keeper exited at once',
  })
  expect(error.hint).toContain('the disk is made of cheese')
})

test('a keeper that says nothing is given up', async () => {
  await using rig = createRig(`setTimeout(() => {}, 5_000)`)
  const error = await rejection(ensureServer({ ...rig.start, timeoutMs: 200 }))
  expect(error.message).toBe('Cannot start the daemon: the keeper did not get ready in time')
})

test('a keeper that says nothing is not waited for once another one listens', async () => {
  await using rig = createRig(`setTimeout(() => {}, 20_000)`)
  const { installation } = rig.start
  const ensured = ensureServer(rig.start)
  while (!existsSync(join(rig.home, 'pids'))) await new Promise((resolve) => setImmediate(resolve))
  const other = createServer((socket) => socket.destroy())
  other.listen(installation.apiSocket)
  try {
    await ensured
  } finally {
    other.close()
  }
})

test('an old keeper on its way out is waited for, and then another is started', async () => {
  // The first one has the lock, never listens, and lets go of it.
  await using rig = createRig(`
    const { appendFileSync, existsSync, mkdirSync, rmdirSync, writeSync } = require('node:fs')
    const { join } = require('node:path')
    const home = process.env.LOCALD_HOME
    appendFileSync(join(home, 'starts'), 'x\\n')
    if (existsSync(join(home, 'gone'))) {
      require('node:net').createServer(() => {}).listen(join(home, 'run', 'api.sock'), () => writeSync(3, 'ready\\n'))
    } else {
      mkdirSync(join(home, 'gone'))
      writeSync(3, 'held\\n')
    }`)
  // The wait for it has a limit that garbage collection must not take away.
  setFlagsFromString('--expose-gc')
  const collectGarbage: unknown = runInNewContext('gc')
  if (typeof collectGarbage !== 'function') throw new Error('There is no way to collect garbage')
  const collecting = setInterval(() => void collectGarbage(), 50)
  try {
    await ensureServer({ ...rig.start, timeoutMs: 15_000 })
  } finally {
    clearInterval(collecting)
  }
  expect(rig.starts()).toHaveLength(2)
})

test('a directory that cannot be watched, as where no watch is left, costs nothing but patience', async () => {
  await using rig = createRig(`
    const { renameSync, writeSync } = require('node:fs')
    const { join } = require('node:path')
    const run = join(process.env.LOCALD_HOME, 'run')
    renameSync(run, run + '.away')
    writeSync(3, 'held\\n')
    setTimeout(() => {
      renameSync(run + '.away', run)
      require('node:net').createServer(() => {}).listen(join(run, 'api.sock'))
    }, 300)`)
  await ensureServer(rig.start)
  expect(await isListening(rig.start.installation)).toBe(true)
})

test('a daemon that ended too often is reported with its last lines, and tried again only when asked', async () => {
  const held = `
const { appendFileSync, writeSync } = require('node:fs')
appendFileSync(process.env.LOCALD_HOME + '/starts', process.argv.slice(2).join(' ') + '\\n')
writeSync(3, 'held\\n')`
  await using rig = createRig(held)
  const { installation } = rig.start
  mkdirSync(join(installation.journal), { recursive: true })
  const note = { at: '2026-01-01T00:00:00.000Z', crashes: 5, lastLines: ['TypeError: cheese'] }
  writeFileSync(join(installation.state, 'crash-loop.json'), JSON.stringify(note))
  const error = await rejection(ensureServer(rig.start))
  expect(error.code).toBe('daemon_unreachable')
  expect(error.hint).toContain('TypeError: cheese')
  expect(error.hint).toContain('locald server start --fresh')
  expect(rig.starts()).toEqual([''])

  await rejection(ensureServer({ ...rig.start, again: 'fresh', timeoutMs: 1_000 }))
  expect(rig.starts().at(-1)).toBe('--retry')
  expect(existsSync(installation.journal)).toBe(false)
})

test('a socket path over the limit of the system names what to shorten', async () => {
  const env = { LOCALD_HOME: `/tmp/${'x'.repeat(100)}` }
  const installation = installationFor(env)
  const error = await rejection(isListening(installation))
  expect(error.code).toBe('path_too_long')
  expect(error.hint).toContain(`Shorten "/tmp/${'x'.repeat(100)}"`)
})

test('a LOCALD_HOME is meant from where the caller is', async () => {
  await using rig = createRig()
  const env = { ...rig.start.env, LOCALD_HOME: relative(process.cwd(), rig.home) }
  await ensureServer({ ...rig.start, installation: installationFor(env), env })
  expect(await isListening(rig.start.installation)).toBe(true)
})

test.each([
  ['a place in which nobody can make a directory', '/proc/nowhere'],
  ['a file', '/dev/null'],
])('%s is refused as a LOCALD_HOME', async (_, home) => {
  const env = { LOCALD_HOME: home }
  const error = await rejection(
    ensureServer({ installation: installationFor(env), env, keeperProgram: '/nonexistent', timeoutMs: 1_000 }),
  )
  expect(error.code).toBe('directory_refused')
  expect(error.message).toContain(home)
})

test('a log that cannot be written is a refusal, not a fault of ours', async () => {
  await using rig = createRig()
  mkdirSync(rig.start.installation.keeperLog, { recursive: true })
  const error = await rejection(ensureServer(rig.start))
  expect(error.code).toBe('directory_refused')
  expect(error.message).toContain(rig.start.installation.keeperLog)
  writeFileSync(join(rig.home, 'pids'), '') // No keeper was started.
})

test.runIf(process.getuid?.() === 0)('nobody is trusted who listens in a directory of another user', async () => {
  await using rig = createRig()
  await ensureServer(rig.start)
  chownSync(rig.start.installation.runtime, 4242, 4242)
  expect((await rejection(isListening(rig.start.installation))).code).toBe('directory_refused')
  expect((await rejection(ensureServer(rig.start))).code).toBe('directory_refused')
})
