// One run of a check command, of which nothing is left afterwards.
import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLightProcess } from '../lib/light-process.ts'
import type { ChildExit } from '../lib/child-exit.ts'
import type { LightProcess } from '../lib/light-process.ts'
import { markerVariable } from '../lib/process-source.ts'
import { membersOf, readProcesses, startTimeOf } from '../lib/process-tree.ts'
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
  let child: LightProcess
  try {
    child = start(attempt, marker)
  } catch (error) {
    return cannotRun(attempt, error)
  }
  const output = new Tail(child.output)
  // It is not reaped before the next turn: it is there, if only as a zombie.
  const identity = { pid: child.pid, startTime: startTimeOf(child.pid) ?? 0, marker, lockLimit: null }

  let hasExited = false
  const exit = child.exit.finally(() => {
    hasExited = true
  })
  const verdict = await verdictOf(attempt, exit, signal)
  const isClean = verdict.isOver && (await isWithin(child.gone, leftoverGraceMs))
  if (!isClean) await killAll(identity, () => hasExited)
  child[Symbol.dispose]()
  const text = output.text()
  return text === '' ? verdict.result : { ...verdict.result, output: text }
}

function start({ command, env, cwd }: CommandAttempt, marker: string): LightProcess {
  return startLightProcess({
    argv: typeof command === 'string' ? ['/bin/sh', '-c', command] : command,
    env,
    // A marker of its own: else its processes would count as the service's.
    added: { [markerVariable]: marker },
    cwd,
  })
}

function cannotRun({ command, cwd }: CommandAttempt, error: unknown): AttemptResult {
  const name = typeof command === 'string' ? command : command.join(' ')
  const reason = error instanceof Error ? error.message : 'it cannot be observed'
  return { ok: false, message: `Cannot run the health check "${name}" in "${cwd}": ${reason}` }
}

interface Verdict {
  readonly result: AttemptResult
  /** The command ended by itself. */
  readonly isOver: boolean
}

async function verdictOf(attempt: CommandAttempt, exit: Promise<ChildExit>, signal: AbortSignal): Promise<Verdict> {
  let cut: (how: 'late' | 'cancelled') => void = () => {}
  const limit = new Promise<'late' | 'cancelled'>((resolve) => {
    cut = resolve
  })
  const timer = setTimeout(() => cut('late'), attempt.timeoutMs).unref()
  const cancel = (): void => cut('cancelled')
  signal.addEventListener('abort', cancel)
  const first = await Promise.race([exit, limit])
  clearTimeout(timer)
  signal.removeEventListener('abort', cancel)
  if (first === 'late') {
    return {
      result: { ok: false, message: `The health check took longer than ${attempt.timeoutMs} ms` },
      isOver: false,
    }
  }
  if (first === 'cancelled') return { result: { ok: false, message: 'The health check was cancelled' }, isOver: false }
  return { result: resultOf(first), isOver: true }
}

function resultOf({ code, signal }: ChildExit): AttemptResult {
  if (signal !== null) return { ok: false, message: `The health check was killed by ${signal}` }
  return { ok: code === 0, message: `The health check exited with code ${code ?? 'unknown'}` }
}

async function isWithin(event: Promise<void>, ms: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms).unref()
    void event.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

/** The group at once, then whoever left it, one by one: a process that was reaped may have given its pid away. */
async function killAll(identity: RunIdentity, hasExited: () => boolean): Promise<void> {
  if (!hasExited()) kill(-identity.pid)
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

  constructor(stream: Readable) {
    stream.on('data', (chunk: Buffer) => {
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
