// Starts the program of a run, on a terminal or on pipes.
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { duplicate, openPipe, setCloseOnExec, setNonBlocking, withLockLimit } from '../lib/native.ts'
import { InputQueue } from './input-queue.ts'
import { OutputReader } from './output-reader.ts'
import { forkTerminal, resizeTerminal } from './terminal.ts'
import type { OutputStream } from './log-streams.ts'
import type { SpawnOrder } from './protocol.ts'

/** How a leader ended: one of the two is null. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A program that was started, as long as it is of interest: also after its leader has ended. */
export interface RunningProcess {
  readonly pid: number
  /** See `RunIdentity`. */
  readonly lockLimit: number | null
  /** Reads on after a pause. */
  resume(): void
  /** Hands on at once what has been written so far. */
  drain(): void
  /** False when it cannot take the input now. */
  write(bytes: Buffer): boolean
  /** False without a terminal. */
  resize(cols: number, rows: number): boolean
  /** Gives up its descriptors: later output is lost, and a terminal hangs up. */
  close(): void
}

export interface StartOrder extends Pick<SpawnOrder, 'argv' | 'cwd' | 'env' | 'tty'> {
  /** Absolute path of what `argv` begins with. */
  readonly program: string
  /** Carried by all its processes. */
  readonly lockLimit: number
  /** Must be done with the bytes when it returns; false asks for a pause until `resume`. */
  readonly onOutput: (stream: OutputStream, bytes: Uint8Array) => boolean
  /** The leader was reaped. */
  readonly onExit: (exit: Exit) => void
}

/** Throws when the system cannot fork. Either way the program leads a new session and process group. */
export function startProcess(order: StartOrder): RunningProcess {
  return order.tty === null ? startOnPipes(order) : startOnTerminal(order, order.tty)
}

function startOnTerminal(order: StartOrder, size: { readonly cols: number; readonly rows: number }): RunningProcess {
  const { program, cwd, env, onExit } = order
  const { result: terminal, lockLimit } = withLockLimit(order.lockLimit, () =>
    forkTerminal({
      program,
      args: order.argv.slice(1),
      cwd,
      env,
      ...size,
      onExit: (code, signal) =>
        onExit(signal === 0 ? { code, signal: null } : { code: null, signal: signalName(signal) }),
    }),
  )
  // Before anything else is forked: a copy of the master in another service would keep this terminal alive.
  setCloseOnExec(terminal.fd)
  const ours = duplicate(terminal.fd)
  const input = new InputQueue(ours)
  const output = new OutputReader(terminal.fd, 'pty', (bytes) => order.onOutput('pty', bytes))
  let isOpen = true
  return {
    pid: terminal.pid,
    lockLimit,
    resume: () => output.resume(),
    drain: () => output.drain(),
    write: (bytes) => input.write(bytes),
    resize: (cols, rows) => {
      if (isOpen) resizeTerminal(ours, cols, rows)
      return isOpen
    },
    close: () => {
      isOpen = false
      input.close()
      output.close()
    },
  }
}

/**
 * Real pipes: what Node makes for a child are sockets, which a service that opens /dev/stdout cannot use. The input stays
 * open, because many watchers end when theirs does.
 */
function startOnPipes(order: StartOrder): RunningProcess {
  const opened: number[] = []
  const open = (): ReturnType<typeof openPipe> => {
    const ends = openPipe()
    opened.push(ends.read, ends.write)
    return ends
  }
  try {
    const [stdin, stdout, stderr] = [open(), open(), open()]
    for (const fd of [stdin.write, stdout.read, stderr.read]) setNonBlocking(fd)
    const { result: child, lockLimit } = withLockLimit(order.lockLimit, () =>
      spawn(order.program, order.argv.slice(1), {
        cwd: order.cwd,
        env: order.env,
        detached: true, // setsid
        stdio: [stdin.read, stdout.write, stderr.write],
      }),
    )
    child.on('error', () => {}) // told below, by the missing pid
    if (child.pid === undefined) throw new Error(`Cannot start "${order.program}": the system refused to run it`)
    child.on('exit', (code, signal) => order.onExit({ code, signal }))
    const input = new InputQueue(stdin.write)
    const readers = [
      new OutputReader(stdout.read, 'pipe', (bytes) => order.onOutput('stdout', bytes)),
      new OutputReader(stderr.read, 'pipe', (bytes) => order.onOutput('stderr', bytes)),
    ]
    opened.splice(0, opened.length, stdin.read, stdout.write, stderr.write)
    return {
      pid: child.pid,
      lockLimit,
      resume: () => {
        for (const reader of readers) reader.resume()
      },
      drain: () => {
        for (const reader of readers) reader.drain()
      },
      write: (bytes) => input.write(bytes),
      resize: () => false,
      close: () => {
        input.close()
        for (const reader of readers) reader.close()
      },
    }
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return found?.[0] ?? `SIG${number}` // real-time signals have no names in Node
}
