// A locald of its own for a measurement: own directories, throw-away projects, the built command.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(new URL('../packages/locald/bin/locald.cjs', import.meta.url))

/** Milliseconds since the epoch, with fractions: comparable between processes of one machine. */
export function now() {
  return performance.timeOrigin + performance.now()
}

/** Runs a program to its end; resolves with its code, its output and how long it took in milliseconds. */
async function run(program, args, { cwd, env }) {
  const startedAt = now()
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const [code] = await once(child, 'close')
  return { code, stdout, stderr, startedAt, ms: now() - startedAt }
}

/** Ends with `dispose()`, which stops the daemon and removes everything. */
export function createInstallation() {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lb-')))
  const user = join(directory, 'user')
  mkdirSync(user)
  const env = {
    PATH: process.env.PATH,
    HOME: user,
    LOCALD_HOME: join(directory, 'l'),
    LOCALD_HTTP_PORT: '0',
    LOCALD_HTTPS_PORT: '0',
    LANG: 'C.UTF-8',
  }
  if (process.env.DOCKER_HOST !== undefined) env.DOCKER_HOST = process.env.DOCKER_HOST
  let projects = 0

  /** A command that must succeed. */
  const locald = async (args, cwd = user) => {
    const result = await run(process.execPath, [command, ...args], { cwd, env })
    if (result.code !== 0) {
      throw new Error(`"locald ${args.join(' ')}" exited ${result.code}:\n${result.stdout}${result.stderr}`)
    }
    return result
  }

  return {
    locald,
    socket: join(directory, 'l/run/api.sock'),
    /** Any other program, in the same environment. */
    run: (program, args, cwd = user) => run(program, args, { cwd, env }),
    /** A command that goes on; its output is the caller's. */
    start: (args, cwd = user) =>
      spawn(process.execPath, [command, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] }),
    /** Node and nothing else, in the same environment. */
    node: () => run(process.execPath, ['-e', '0'], { cwd: user, env }),
    /** Makes a project of a configuration and further files. */
    project: (toml, files = {}) => {
      projects += 1
      const root = join(directory, `p${projects}`)
      mkdirSync(root)
      for (const [name, text] of Object.entries({ 'locald.toml': toml, ...files }))
        writeFileSync(join(root, name), text)
      return {
        root,
        locald: (...args) => locald(args, root),
        services: async () => JSON.parse((await locald(['status', '--json'], root)).stdout).services,
        /** What a service wrote: milliseconds since the epoch, one a line; the last counts. */
        time: (name) => Number(readFileSync(join(root, name), 'utf8').trim().split('\n').at(-1)),
        /** When a file was last touched, milliseconds since the epoch, to a tick of the kernel (4 ms). */
        touched: (name) => statSync(join(root, name)).mtimeMs,
        exists: (name) => existsSync(join(root, name)),
        has: (name) => existsSync(join(root, name)) && readFileSync(join(root, name), 'utf8') !== '',
        forget: (name) => existsSync(join(root, name)) && rmSync(join(root, name)),
      }
    },
    server: async () => JSON.parse((await locald(['server', 'status', '--json'])).stdout),
    dispose: async () => {
      try {
        await locald(['server', 'stop'])
      } finally {
        rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
      }
    },
  }
}
