// What the tests of this folder share: a keeper in this process, and a way to wait for what it tells.
import { once, EventEmitter } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { headerBytes, readFrameHeader, segmentNames } from '../lib/segment-format.ts'
import { FileReports } from './file-reports.ts'
import { Keeper } from './keeper.ts'
import type { Logger } from '../lib/logger.ts'
import type { FrameKind, FrameStream } from '../lib/segment-format.ts'
import type { Fact, LogTarget, SpawnOrder, SpawnResult } from './protocol.ts'

type FactOf<Type extends Fact['type']> = Extract<Fact, { type: Type }>

export interface Frame {
  readonly kind: FrameKind
  readonly stream: FrameStream
  readonly run: number
  readonly at: number
  readonly bytes: Buffer
}

/** Frames of a log stream's folder in their order. */
export function readFrames(directory: string): readonly Frame[] {
  return segmentNames(readdirSync(directory)).flatMap(({ name }) => framesOf(readFileSync(join(directory, name))))
}

function framesOf(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = []
  for (let offset = 0; offset + headerBytes <= bytes.length;) {
    const header = readFrameHeader(bytes, offset)
    if (header === null) throw new Error(`No frame at ${offset}`)
    const start = offset + headerBytes
    frames.push({ ...header, bytes: bytes.subarray(start, start + header.length) })
    offset = start + header.length
  }
  return frames
}

export class KeeperRig implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'locald-keeper-'))
  readonly facts: Fact[] = []
  readonly grown: string[] = []
  readonly errors: unknown[] = []
  /** What the log says of signals, in order. */
  readonly signals: unknown[] = []
  readonly keeper: Keeper
  readonly #events = new EventEmitter()
  #runs = 0

  constructor() {
    this.#events.setMaxListeners(0)
    const logger: Logger = {
      log: (level, msg, fields) => {
        if (level === 'error') this.errors.push({ msg, ...fields })
        if (msg === 'A run was signalled') this.signals.push({ ...fields })
      },
    }
    this.keeper = new Keeper({
      logs: join(this.directory, 'logs'),
      runsFile: join(this.directory, 'runs.jsonl'),
      logger,
      files: new FileReports(logger),
      onShutdown: () => {},
      isOwnChild: () => false,
    })
    this.keeper.listen({
      onFact: (fact) => {
        this.facts.push(fact)
        this.#events.emit('news')
      },
      onGrew: (stream) => {
        this.grown.push(stream)
        this.#events.emit('news')
      },
      onTrouble: () => {},
    })
  }

  log(run: string): LogTarget {
    return { stream: `p/${run}`, run: 1, segmentBytes: 256 << 20, segments: 2 }
  }

  order(command: string | readonly string[], options: Partial<SpawnOrder> = {}): SpawnOrder {
    const run = options.run ?? `r${++this.#runs}`
    return {
      run,
      tag: { name: run },
      argv: typeof command === 'string' ? ['/bin/sh', '-c', command] : command,
      cwd: this.directory,
      env: { PATH: process.env['PATH'] ?? '' },
      tty: { cols: 80, rows: 24 },
      log: this.log(run),
      ...options,
    }
  }

  /** Starts a command, by `/bin/sh -c` when it is a string; gives its run's id and pid. */
  start(
    command: string | readonly string[],
    options: Partial<SpawnOrder> = {},
  ): { readonly run: string; readonly pid: number } {
    const order = this.order(command, options)
    const result: SpawnResult = this.keeper.handle('spawn', order)
    if (!result.ok) throw new Error(`Not started: ${JSON.stringify(result)}`)
    return { run: order.run, pid: result.identity.pid }
  }

  end(run: string, timeoutMs: number | null = null, signal = 'SIGTERM', scope: 'group' | 'leader' = 'group'): void {
    this.keeper.handle('end', { run, signal, scope, timeoutMs })
  }

  /** Resolves with the first fact of that type about the run, which may have come already. */
  async fact<Type extends Fact['type']>(run: string, type: Type): Promise<FactOf<Type>> {
    const isIt = (fact: Fact): fact is FactOf<Type> => fact.run === run && fact.type === type
    return this.until(() => this.facts.find(isIt))
  }

  typesOf(run: string): readonly string[] {
    return this.facts.filter((fact) => fact.run === run).map((fact) => fact.type)
  }

  /** Asks again at each fact and each flush. */
  async until<T>(ask: () => T | undefined): Promise<T> {
    for (;;) {
      const answer = ask()
      if (answer !== undefined) return answer
      await once(this.#events, 'news')
    }
  }

  frames(run: string): readonly Frame[] {
    return readFrames(join(this.directory, 'logs', this.log(run).stream))
  }

  output(run: string, stream?: FrameStream): string {
    return this.outputBytes(run, stream).toString('utf8')
  }

  outputBytes(run: string, stream?: FrameStream): Buffer {
    const frames = this.frames(run).filter((frame) => frame.kind === 'output')
    return Buffer.concat(
      frames.filter((frame) => stream === undefined || frame.stream === stream).map(({ bytes }) => bytes),
    )
  }

  /** Resolves when the run has written this. */
  async written(run: string, text: string | RegExp): Promise<string> {
    return this.until(() => {
      if (!this.grown.includes(this.log(run).stream)) return undefined
      const output = this.output(run)
      return (typeof text === 'string' ? output.includes(text) : text.test(output)) ? output : undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.keeper.endAll('atOnce')
    await this.keeper.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Whether a process is there and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
