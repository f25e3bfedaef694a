// Keeps one daemon running: starts it, and starts it again when it has ended.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Duplex } from 'node:stream'
import type { ChildProcess } from 'node:child_process'
import type { Logger } from '../lib/logger.ts'

export interface DaemonProcessOptions {
  /** The program, run by this Node, until `use` names another. */
  readonly program: string
  readonly log: string
  /** Where the end of a crash loop is noted for commands to show. */
  readonly crashLoopFile: string
  readonly logger: Logger
  /** Inherited by the daemon as descriptor 3; asked for at each start. */
  readonly apiDescriptor: () => number
  /** The connection to a daemon that was just started; its end of it is descriptor 4. */
  readonly onStarted: (socket: Duplex) => void
  /** It ended as it was asked to, and is not started again. */
  readonly onStopped: () => void
  /** It ended too often: nothing more is tried until `retry`. */
  readonly onCrashLoop: () => void
}

/** What `state/crash-loop.json` holds. */
export interface CrashLoop {
  /** ISO 8601. */
  readonly at: string
  readonly crashes: number
  /** What the daemon logged last. */
  readonly lastLines: readonly string[]
}

const crashWindowMs = 60_000
const mostCrashes = 5
const logBytes = 8 * 1024 * 1024
const quotedBytes = 8192
const quotedLines = 20

/**
 * What to do after crashes at these times (milliseconds, oldest first, the last one now): start again after so many
 * milliseconds, or null: never. The first restart is immediate, further ones within a minute wait 100, 200, 400 ms.
 */
export function restartDelay(crashes: readonly number[]): number | null {
  const now = crashes.at(-1) ?? 0
  const recent = crashes.filter((at) => now - at < crashWindowMs).length
  if (recent >= mostCrashes) return null
  return recent <= 1 ? 0 : 100 * 2 ** (recent - 2)
}

export class DaemonProcess {
  readonly #options: DaemonProcessOptions
  #program: string
  #child: ChildProcess | null = null
  #crashes: number[] = []
  #isLooping = false
  #expected: 'stop' | 'restart' | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(options: DaemonProcessOptions) {
    this.#options = options
    this.#program = options.program
    rmSync(options.crashLoopFile, { force: true })
  }

  /** Null between two daemons. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  get isLooping(): boolean {
    return this.#isLooping
  }

  start(): void {
    this.#timer = null
    this.#expected = null
    let child: ChildProcess
    try {
      child = this.#spawn()
    } catch (error) {
      this.#options.logger.log('error', 'Cannot start the daemon', { error })
      this.#onCrash()
      return
    }
    this.#child = child
    this.#options.logger.log('info', 'The daemon was started', { pid: child.pid })
    const socket = child.stdio[4]
    if (socket instanceof Duplex) this.#options.onStarted(socket)
  }

  /** Starts it from this program from now on. */
  use(program: string): void {
    this.#program = program
  }

  /** Its next exit is no crash. */
  expectExit(kind: 'stop' | 'restart'): void {
    this.#expected = kind
    if (this.#child === null && kind === 'stop') this.#settleStopped()
  }

  /** Ends it, with SIGKILL after `timeoutMs`; `onStopped` tells when it is gone. */
  stop(timeoutMs: number): void {
    this.expectExit('stop')
    const child = this.#child
    child?.kill('SIGTERM')
    const timer = setTimeout(() => child?.kill('SIGKILL'), timeoutMs)
    child?.once('exit', () => clearTimeout(timer))
    if (child === null) clearTimeout(timer)
  }

  /** Tries again after a crash loop; does nothing otherwise. */
  retry(): void {
    if (!this.#isLooping) return
    this.#isLooping = false
    this.#crashes = []
    rmSync(this.#options.crashLoopFile, { force: true })
    this.start()
  }

  #spawn(): ChildProcess {
    const { log, logger } = this.#options
    rotate(log)
    const output = openSync(log, 'a', 0o600)
    try {
      const child = spawn(process.execPath, [this.#program], {
        stdio: ['ignore', output, output, this.#options.apiDescriptor(), 'pipe'],
        detached: true, // a terminal's Ctrl-C is not meant for it
      })
      child.on('error', (error) => logger.log('error', 'Cannot start the daemon', { error }))
      child.on('exit', (code, signal) => this.#onExit(code, signal))
      if (child.pid === undefined) throw new Error(`Cannot run "${process.execPath}"`)
      return child
    } finally {
      closeSync(output)
    }
  }

  #onExit(code: number | null, signal: string | null): void {
    const pid = this.pid
    this.#child = null
    this.#options.logger.log(this.#expected === null ? 'error' : 'info', 'The daemon ended', { pid, code, signal })
    if (this.#expected === 'stop') this.#settleStopped()
    else if (this.#expected === 'restart') this.start()
    else this.#onCrash()
  }

  #settleStopped(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#options.onStopped()
  }

  #onCrash(): void {
    this.#crashes = [...this.#crashes, performance.now()].slice(-mostCrashes)
    const delay = restartDelay(this.#crashes)
    if (delay === null) this.#giveUp()
    else this.#timer = setTimeout(() => this.start(), delay)
  }

  #giveUp(): void {
    const { crashLoopFile, log, logger, onCrashLoop } = this.#options
    this.#isLooping = true
    const note: CrashLoop = {
      at: new Date().toISOString(),
      crashes: this.#crashes.length,
      lastLines: lastLines(log),
    }
    logger.log('error', 'The daemon ended too often and is not started again', { ...note })
    try {
      writeFileSync(crashLoopFile, `${JSON.stringify(note)}\n`, { mode: 0o600 })
    } catch (error) {
      logger.log('error', 'Cannot note the crash loop', { error })
    }
    onCrashLoop()
  }
}

/** One older file is kept. */
function rotate(log: string): void {
  try {
    if (statSync(log).size > logBytes) renameSync(log, `${log}.1`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

function lastLines(log: string): readonly string[] {
  try {
    return readFileSync(log).subarray(-quotedBytes).toString('utf8').trimEnd().split('\n').slice(-quotedLines)
  } catch {
    return [] // there is no log to quote
  }
}
