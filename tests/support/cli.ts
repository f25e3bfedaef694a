// Runs the built command as a user would, in an environment that holds nothing of the test's own.
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const builtCommand =
  process.env['LOCALD_BIN'] ?? fileURLToPath(new URL('../../packages/locald/bin/locald.cjs', import.meta.url))

export interface CliOptions {
  readonly cwd: string
  /** Added to the harness's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** SIGKILL after this time, and the result says so. Default 60 s. */
  readonly timeoutMs?: number
  /** Of another installation. Default: the one under test. */
  readonly command?: string
  /** As this user. Default: the test's own. */
  readonly uid?: number
}

export interface CliResult {
  readonly args: readonly string[]
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON. */
  json<T>(): T
  /** stdout as one JSON value a line. */
  jsonLines<T>(): readonly T[]
}

/** A command that runs. */
export interface RunningCli {
  readonly pid: number
  /** Everything printed so far, both streams as they came. */
  readonly output: () => string
  /** Resolves with the match once the output matches; rejects when it ends without. */
  readonly waitForOutput: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly signal: (signal: NodeJS.Signals) => void
  readonly ended: Promise<CliResult>
}

export function startCli(
  args: readonly string[],
  options: CliOptions & { readonly env: Readonly<Record<string, string>> },
): RunningCli {
  const { cwd, env, timeoutMs = 60_000, command = builtCommand, uid } = options
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(process.execPath, [command, ...args], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  child.stdin.end()
  const text = { stdout: '', stderr: '', both: '' }
  const listeners = new Set<() => void>()
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk
      text.both += chunk
      for (const listener of listeners) listener()
    })
  }
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    child.kill('SIGKILL')
  }, timeoutMs)
  let over = false
  const ended = once(child, 'close').then(([code, signal]: unknown[]): CliResult => {
    clearTimeout(timer)
    over = true
    for (const listener of listeners) listener()
    if (timedOut) throw new Error(`"locald ${args.join(' ')}" did not end within ${timeoutMs} ms:\n${text.both}`)
    return resultOf(args, code as number | null, signal as NodeJS.Signals | null, text)
  })
  // Whoever awaits it gets the error; nobody needs to.
  ended.catch(() => undefined)
  return {
    pid: child.pid ?? -1,
    output: () => text.both,
    waitForOutput: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text.both)
          if (match === null && !over) return
          listeners.delete(look)
          if (match !== null) resolve(match)
          else reject(new Error(`"locald ${args.join(' ')}" ended without ${String(pattern)}:\n${text.both}`))
        }
        listeners.add(look)
        look()
      }),
    signal: (signal) => {
      child.kill(signal)
    },
    ended,
  }
}

function resultOf(
  args: readonly string[],
  code: number | null,
  signal: NodeJS.Signals | null,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
): CliResult {
  const parse = (json: string): unknown => {
    try {
      return JSON.parse(json)
    } catch (cause) {
      throw new Error(`"locald ${args.join(' ')}" printed no JSON (exit ${code}):\n${stdout}\n${stderr}`, { cause })
    }
  }
  return {
    args,
    code,
    signal,
    stdout,
    stderr,
    json: <T>() => parse(stdout) as T,
    jsonLines: <T>() =>
      stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => parse(line) as T),
  }
}
