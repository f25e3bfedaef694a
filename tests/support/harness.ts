// A complete locald of one test: its own directories, its own keeper and daemon, throw-away projects. When it is disposed
// of it stops everything and fails the test if anything is left.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LocaldEvent, ProjectStatus, ServerStatus, ServiceSnapshot } from '@locald/protocol'
import { projectEvent } from '@locald/protocol'
import { createApiClient } from '../../packages/locald/src/client/api-client.ts'
import { startCli } from './cli.ts'
import type { CliOptions, CliResult, RunningCli } from './cli.ts'
import { findLeftovers } from './leftovers.ts'
import { listeningPorts } from './listeners.ts'

const examples = fileURLToPath(new URL('../../examples', import.meta.url))

/** How long the processes of a stopped locald may still be seen. It waits for its services, so this is for itself. */
const goneWithinMs = 3000

export interface Harness extends AsyncDisposable {
  /** Its LOCALD_HOME. */
  readonly home: string
  /** The environment that its commands get. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a command to its end, in an empty directory unless told otherwise. */
  locald(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>
  start(args: readonly string[], options?: Partial<CliOptions>): RunningCli
  /** Makes a project of these files: path to text. */
  project(files: Readonly<Record<string, string>>, name?: string): Project
  /** A copy of one of `examples/`. */
  example(name: string): Project
  serverStatus(): Promise<ServerStatus>
  /** The daemon must be running. */
  watch(): Watch
}

export interface Project {
  /** Real path. */
  readonly directory: string
  locald(...args: readonly string[]): Promise<CliResult>
  /** `locald up` that must bring everything to healthy. */
  up(...args: readonly string[]): Promise<CliResult>
  start(...args: readonly string[]): RunningCli
  write(file: string, text: string): void
  read(file: string): string
  remove(file: string): void
  status(): Promise<ProjectStatus>
  /** The first instance of a service. */
  service(name: string): Promise<ServiceSnapshot>
  /** Recorded output, oldest first. */
  lines(service: string, ...args: readonly string[]): Promise<readonly string[]>
  /** Waits for events until a service is as wanted. Starts the daemon if none runs. */
  waitFor(service: string, isWanted: (snapshot: ServiceSnapshot) => boolean): Promise<ServiceSnapshot>
}

/** The events of all projects from now on, and what they amount to. */
export interface Watch extends AsyncDisposable {
  readonly events: readonly LocaldEvent[]
  readonly projects: () => readonly ProjectStatus[]
  /** Resolves as soon as `find` answers something, which is asked after each event. Rejects after 20 s. */
  waitFor<T>(find: (watch: Watch) => T | undefined): Promise<T>
}

/** `added`: to the environment of its commands. */
export function createHarness(added: Readonly<Record<string, string>> = {}): Harness {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'h-')))
  const home = join(directory, 'l')
  const user = join(directory, 'user')
  mkdirSync(user)
  const env = {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: user,
    TMPDIR: tmpdir(),
    LOCALD_HOME: home,
    // Those of the machine are for whoever works on it.
    LOCALD_HTTP_PORT: '0',
    LOCALD_HTTPS_PORT: '0',
    LANG: 'C.UTF-8',
    ...added,
  }
  const running = new Set<RunningCli>()
  const seenPorts = new Set<number>()
  let projects = 0
  let disposed = false

  const start = (args: readonly string[], options: Partial<CliOptions> = {}): RunningCli => {
    const cli = startCli(args, { cwd: user, ...options, env: { ...env, ...options.env } })
    running.add(cli)
    void cli.ended.then(
      () => running.delete(cli),
      () => running.delete(cli),
    )
    return cli
  }
  const locald = (args: readonly string[], options: Partial<CliOptions> = {}): Promise<CliResult> =>
    start(args, options).ended
  const remember = (status: ProjectStatus): ProjectStatus => {
    for (const service of status.services) for (const port of service.ports) seenPorts.add(port)
    return status
  }
  const watch = (): Watch => openWatch(join(home, 'run/api.sock'), remember)

  const projectIn = (root: string): Project => {
    const status = async (): Promise<ProjectStatus> =>
      remember((await locald(['status', '--json'], { cwd: root })).json<ProjectStatus>())
    const project: Project = {
      directory: root,
      locald: (...args) => locald(args, { cwd: root }),
      start: (...args) => start(args, { cwd: root }),
      up: async (...args) => {
        const result = await locald(['up', ...args], { cwd: root })
        if (result.code !== 0) throw new Error(`"locald up" exited ${result.code}:\n${result.stdout}${result.stderr}`)
        await status()
        return result
      },
      write: (file, text) => {
        writeFiles(root, { [file]: text })
      },
      read: (file) => readFileSync(join(root, file), 'utf8'),
      remove: (file) => rmSync(join(root, file)),
      status,
      service: async (name) => {
        const found = (await status()).services.find((service) => service.name === name)
        if (found === undefined) throw new Error(`No service "${name}" in ${root}`)
        return found
      },
      lines: async (service, ...args) => {
        const result = await locald(['logs', service, '--json', ...args], { cwd: root })
        return result
          .jsonLines<{ stream: string; text: string }>()
          .filter((line) => line.stream !== 'locald')
          .map((line) => line.text)
      },
      waitFor: async (service, isWanted) => {
        if ((await serverStatus()).daemon === null) await locald(['server', 'start'])
        await using events = watch()
        return await events.waitFor(({ projects }) =>
          projects()
            .find((candidate) => candidate.root === root)
            ?.services.find((candidate) => candidate.name === service && isWanted(candidate)),
        )
      },
    }
    return project
  }
  const newRoot = (name: string | undefined): string => {
    projects += 1
    const root = join(directory, name ?? `p${projects}`)
    mkdirSync(root)
    // The walk up for a configuration ends here, as in any repository.
    mkdirSync(join(root, '.git'))
    return root
  }
  const serverStatus = async (): Promise<ServerStatus> =>
    (await locald(['server', 'status', '--json'])).json<ServerStatus>()

  return {
    home,
    env,
    locald,
    start,
    serverStatus,
    watch,
    project: (files, name) => {
      const root = newRoot(name)
      writeFiles(root, files)
      return projectIn(root)
    },
    example: (name) => {
      const root = newRoot(name)
      cpSync(join(examples, name), root, { recursive: true })
      return projectIn(root)
    },
    [Symbol.asyncDispose]: async () => {
      if (disposed) return
      disposed = true
      const faults: string[] = []
      for (const cli of running) {
        cli.signal('SIGKILL')
        await cli.ended
      }
      const stopped = await locald(['server', 'stop']).catch((error: unknown) => ({
        code: null,
        stderr: String(error),
      }))
      if (stopped.code !== 0) faults.push(`"locald server stop" exited ${stopped.code}: ${stopped.stderr}`)
      faults.push(...(await endLeftovers(home, directory)))
      const listening = listeningPorts()
      faults.push(...[...seenPorts].filter((port) => listening.has(port)).map((port) => `a listener on port ${port}`))
      if (faults.length > 0) faults.push(...daemonLogTail(home))
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
      if (faults.length > 0) throw new Error(`Left behind by a test:\n  ${faults.join('\n  ')}`)
    },
  }
}

function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
}

/** Waits for the processes of an installation to go; kills and reports those that stay. */
async function endLeftovers(home: string, directory: string): Promise<readonly string[]> {
  const look = (): ReturnType<typeof findLeftovers> => findLeftovers({ variable: `LOCALD_HOME=${home}`, directory })
  const deadline = Date.now() + goneWithinMs
  while (look().length > 0 && Date.now() < deadline) await sleep(20)
  return look().map(({ pid, command, why }) => {
    process.kill(pid, 'SIGKILL')
    return `process ${pid} (${command}): ${why}`
  })
}

function daemonLogTail(home: string): readonly string[] {
  return ['daemon', 'keeper'].flatMap((name) => {
    const file = join(home, 'state', `${name}.log`)
    return existsSync(file) ? [`${name}.log: ${readFileSync(file, 'utf8').slice(-2000)}`] : []
  })
}

function openWatch(socket: string, remember: (status: ProjectStatus) => ProjectStatus): Watch {
  const ending = new AbortController()
  const events: LocaldEvent[] = []
  const listeners = new Set<() => void>()
  let projects: readonly ProjectStatus[] = []
  let failure: unknown
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  const reading = (async () => {
    for await (const event of createApiClient({ socket }).events({}, { signal: ending.signal })) {
      if (event.type === 'snapshot') {
        projects = event.projects
      } else {
        events.push(event)
        projects = projectEvent(projects, event)
      }
      for (const status of projects) remember(status)
      tell()
    }
  })().catch((error: unknown) => {
    failure = error
    tell()
  })
  const watch: Watch = {
    events,
    projects: () => projects,
    waitFor: <T>(find: (watch: Watch) => T | undefined) =>
      new Promise<T>((resolve, reject) => {
        const end = (act: () => void): void => {
          clearTimeout(timer)
          listeners.delete(look)
          act()
        }
        const look = (): void => {
          const found = find(watch)
          if (found !== undefined) end(() => resolve(found))
          else if (failure !== undefined) end(() => reject(new Error('The events broke off', { cause: failure })))
        }
        const timer = setTimeout(() => {
          const known = projects.flatMap((project) => project.services.map((s) => `${s.name}: ${s.state}`)).join(', ')
          end(() => reject(new Error(`Nothing came within 20 s; ${events.length} events, now ${known}`)))
        }, 20_000)
        listeners.add(look)
        look()
      }),
    [Symbol.asyncDispose]: async () => {
      ending.abort()
      await reading
    },
  }
  return watch
}
