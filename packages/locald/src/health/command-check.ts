// One run of a check command, of which nothing is left afterwards.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { markerVariable } from '../lib/process-source.ts'
import { membersOf, readProcesses, startTimeOf } from '../lib/process-tree.ts'
import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { AttemptResult } from './http-check.ts'

export interface CommandAttempt {
  /** A string is run by `/bin/sh -c`. */
  readonly command: string | readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly timeoutMs: number
}

const outputBytes = 4096
/** For what the command left behind to end by itself, or to close its output, before it is ended. */
const leftoverGraceMs = 100
/** SIGKILL needs no longer, unless a process hangs in the kernel. */
const killWaitMs = 1000

/** Never rejects. Exit code 0 within the time-out is healthy. */
export async function commandCheck(attempt: CommandAttempt, signal: AbortSignal): Promise<AttemptResult> {
  if (signal.aborted) return { ok: false, message: 'The health check was cancelled' }
  const marker = `check-${randomUUID()}`
  let child: ChildProcess
  try {
    child = start(attempt, marker)
  } catch (error) {
    return cannotRun(attempt, error)
  }
  const output = new Tail()
  output.read(child.stdout)
  output.read(child.stderr)
  const ended = endOf(child)
  const identity = identityOf(child, marker)
  if (identity === null) return cannotRun(attempt, (await ended.exit).error)

  const verdict = await verdictOf(attempt, ended.exit, signal)
  const isClean = verdict.isOver && (await isWithin(ended.closed, leftoverGraceMs))
  if (!isClean) await killAll(identity, child)
  for (const stream of child.stdio) stream?.destroy()
  const text = output.text()
  return text === '' ? verdict.result : { ...verdict.result, output: text }
}

function start(attempt: CommandAttempt, marker: string): ChildProcess {
  const { command, cwd } = attempt
  const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  return spawn(program, args, {
    cwd,
    // A marker of its own: else its processes would count as the service's.
    env: { ...attempt.env, [markerVariable]: marker },
    detached: true,
    // The fourth tells when the last process is gone that was started by the command, whatever became of its output.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
}

function identityOf(child: ChildProcess, marker: string): RunIdentity | null {
  // A child that has ended already is still a zombie here: it is reaped by the event loop.
  const startTime = child.pid === undefined ? null : startTimeOf(child.pid)
  return child.pid === undefined || startTime === null ? null : { pid: child.pid, startTime, marker, lockLimit: null }
}

function cannotRun({ command, cwd }: CommandAttempt, error: unknown): AttemptResult {
  const name = typeof command === 'string' ? command : command.join(' ')
  const reason = error instanceof Error ? error.message : 'it cannot be observed'
  return { ok: false, message: `Cannot run the health check "${name}" in "${cwd}": ${reason}` }
}

interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly error?: Error
}

function endOf(child: ChildProcess): { readonly exit: Promise<Exit>; readonly closed: Promise<void> } {
  for (const stream of child.stdio) stream?.on('error', () => {}) // a reset pipe has ended, which is all that matters
  const last = child.stdio[3]
  if (last !== undefined && last !== null && 'resume' in last) last.resume()
  return {
    exit: new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error }))
      child.once('exit', (code, signal) => resolve({ code, signal }))
    }),
    closed: new Promise((resolve) => child.once('close', () => resolve())),
  }
}

interface Verdict {
  readonly result: AttemptResult
  /** The command ended by itself. */
  readonly isOver: boolean
}

async function verdictOf(attempt: CommandAttempt, exit: Promise<Exit>, signal: AbortSignal): Promise<Verdict> {
  const stopped = new AbortController()
  const stop = (): void => stopped.abort()
  signal.addEventListener('abort', stop)
  try {
    const limit = sleep(attempt.timeoutMs, 'late' as const, { signal: stopped.signal, ref: false }).catch(
      () => 'cancelled' as const,
    )
    const first = await Promise.race([exit, limit])
    if (first === 'late')
      return {
        result: { ok: false, message: `The health check took longer than ${attempt.timeoutMs} ms` },
        isOver: false,
      }
    if (first === 'cancelled')
      return { result: { ok: false, message: 'The health check was cancelled' }, isOver: false }
    return { result: resultOf(attempt, first), isOver: true }
  } finally {
    stop()
    signal.removeEventListener('abort', stop)
  }
}

function resultOf(attempt: CommandAttempt, exit: Exit): AttemptResult {
  if (exit.error !== undefined) return cannotRun(attempt, exit.error)
  if (exit.signal !== null) return { ok: false, message: `The health check was killed by ${exit.signal}` }
  return { ok: exit.code === 0, message: `The health check exited with code ${exit.code}` }
}

async function isWithin(event: Promise<void>, ms: number): Promise<boolean> {
  const stopped = new AbortController()
  const late = sleep(ms, false, { signal: stopped.signal, ref: false }).catch(() => false)
  const isInTime = await Promise.race([event.then(() => true), late])
  stopped.abort()
  return isInTime
}

/** The group at once, then whoever left it, one by one: a process that was reaped may have given its pid away. */
async function killAll(identity: RunIdentity, child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) kill(-identity.pid)
  const until = performance.now() + killWaitMs
  for (;;) {
    const members = membersOf(identity, readProcesses())
    if (members.length === 0 || performance.now() > until) return
    for (const { pid } of members) kill(pid)
    await sleep(10, undefined, { ref: false })
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself, or belongs to another user and cannot be ended by this one.
  }
}

/** The last bytes of what was written. */
class Tail {
  readonly #chunks: Buffer[] = []
  #length = 0

  read(stream: Readable | null): void {
    stream?.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#length += chunk.length
      while (this.#length - (this.#chunks[0]?.length ?? 0) >= outputBytes)
        this.#length -= this.#chunks.shift()?.length ?? 0
    })
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-outputBytes).toString('utf8').trim()
  }
}
