// Keeps one daemon running: starts it, and starts it again when it has ended.
import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { Duplex } from 'node:stream'
import type { ChildProcess } from 'node:child_process'
import { writeFileAtomicSync } from '../lib/atomic-file.ts'
import { readEnd, shortenLog } from '../lib/bounded-log.ts'
import { listenersText, listenersVariable } from '../lib/inherited-listener.ts'
import type { InheritedListener } from '../lib/inherited-listener.ts'
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
  /** What it inherits from descriptor 5 on, and is told of by an environment variable; asked for at each start. */
  readonly listeners: () => readonly InheritedListener[]
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

/** Of the descriptors that a daemon inherits. */
const firstListener = 5

const crashWindowMs = 60_000
const mostCrashes = 5
/** A daemon that ended within that time may not have come to serve anybody. */
const startMs = 500
/**
 * The daemon is idle nearly always: V8 is not to wake four threads for each of its small collections, nor to collect because
 * nothing happens. (With most other options, V8 compiles all of Node's own modules anew at each start.) A Node that does not know
 * an option of V8 does not start, so they are given to those that are known to know them.
 */
const idleOptions = ['--single-threaded-gc', '--no-memory-reducer']
const newestKnownNode = 26
const quotedBytes = 8192
const quotedLines = 20

export interface Crash {
  /** In milliseconds, as `performance.now()` tells. */
  readonly at: number
  /** Milliseconds since it was started. */
  readonly lived: number
}

/**
 * What to do after these crashes, oldest first, the last one now: start again after so many milliseconds, or null: never.
 * The restart is immediate after a daemon that had begun to serve, and after the first that had not; after further ones
 * within a minute it waits 100, 200, 400 ms.
 */
export function restartDelay(crashes: readonly Crash[]): number | null {
  const last = crashes.at(-1)
  if (last === undefined) return 0
  const recent = crashes.filter(({ at }) => last.at - at < crashWindowMs)
  if (recent.length >= mostCrashes) return null
  const failed = recent.filter(({ lived }) => lived < startMs).length
  return last.lived >= startMs || failed === 1 ? 0 : 100 * 2 ** (failed - 2)
}

/** Options for the engine of a Node of this version. */
export function engineOptions(version: string): readonly string[] {
  return Number.parseInt(version, 10) <= newestKnownNode ? idleOptions : []
}

export class DaemonProcess {
  readonly #options: DaemonProcessOptions
  #program: string
  #child: ChildProcess | null = null
  #crashes: Crash[] = []
  #startedAt = 0
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
    this.#startedAt = performance.now()
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

  /** Tries again after a crash loop, with its own program: another one that was named has failed. Does nothing otherwise. */
  retry(): void {
    if (!this.#isLooping) return
    this.#isLooping = false
    this.#program = this.#options.program
    this.#crashes = []
    rmSync(this.#options.crashLoopFile, { force: true })
    this.start()
  }

  #spawn(): ChildProcess {
    const { log, logger } = this.#options
    shortenLog(log)
    const output = openSync(log, 'a', 0o600)
    try {
      const inherited = this.#options.listeners()
      const listeners = inherited.map((listener, index) => ({ ...listener, fd: firstListener + index }))
      const child = spawn(process.execPath, [...engineOptions(process.versions.node), this.#program], {
        stdio: ['ignore', output, output, this.#options.apiDescriptor(), 'pipe', ...inherited.map(({ fd }) => fd)],
        env: { ...process.env, [listenersVariable]: listenersText(listeners) },
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
    const at = performance.now()
    this.#crashes = [...this.#crashes, { at, lived: at - this.#startedAt }].slice(-mostCrashes)
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
      writeFileAtomicSync(crashLoopFile, `${JSON.stringify(note)}\n`)
    } catch (error) {
      logger.log('error', 'Cannot note the crash loop', { error })
    }
    onCrashLoop()
  }
}

function lastLines(log: string): readonly string[] {
  try {
    return readEnd(log, quotedBytes).trimEnd().split('\n').slice(-quotedLines)
  } catch {
    return [] // there is no log to quote
  }
}
