// Starts the program of a run, on a terminal or on pipes.
import { closeSync, constants, openSync } from 'node:fs'
import { ChildReaper } from '../lib/child-exit.ts'
import type { ChildExit } from '../lib/child-exit.ts'
import { duplicate, openPipe, setNonBlocking, withLockLimit } from '../lib/native.ts'
import { posixSpawn } from '../lib/posix-spawn.ts'
import type { DescriptorAction } from '../lib/posix-spawn.ts'
import { openPseudoTerminal, resizePseudoTerminal } from '../lib/pseudo-terminal.ts'
import type { TerminalSize } from '../lib/pseudo-terminal.ts'
import { InputQueue } from './input-queue.ts'
import { OutputReader } from './output-reader.ts'
import type { OutputStream } from './log-streams.ts'
import type { SpawnOrder } from './protocol.ts'

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
  readonly onExit: (exit: ChildExit) => void
}

/** Throws when the system cannot start it. Either way the program leads a new session and process group. */
export function startProcess(order: StartOrder): RunningProcess {
  return order.tty === null ? startOnPipes(order) : startOnTerminal(order, order.tty)
}

function startOnTerminal(order: StartOrder, size: TerminalSize): RunningProcess {
  const { master, path } = openPseudoTerminal(size)
  // The last one to close a terminal ends it for its master, were it opened again by /dev/tty. That is never the service.
  const held = openOrClose(path, master)
  let started: Started
  try {
    // Opened by the leader of a new session, it becomes the terminal that controls it.
    started = start(order, [
      { open: path, flags: constants.O_RDWR, as: 0 },
      { duplicate: 0, as: 1 },
      { duplicate: 0, as: 2 },
    ])
    setNonBlocking(master)
  } catch (error) {
    closeSync(held)
    closeSync(master)
    throw error
  }
  const ours = duplicate(master)
  const input = new InputQueue(ours)
  const output = new OutputReader(master, 'pty', (bytes) => order.onOutput('pty', bytes))
  let isOpen = true
  return {
    ...started,
    resume: () => output.resume(),
    drain: () => output.drain(),
    write: (bytes) => input.write(bytes),
    resize: (cols, rows) => {
      if (isOpen) resizePseudoTerminal(ours, { cols, rows })
      return isOpen
    },
    close: () => {
      if (isOpen) closeSync(held)
      isOpen = false
      input.close()
      output.close()
    },
  }
}

/** The program's side of a terminal, which does not come to control this process. Closes the master when it throws. */
function openOrClose(path: string, master: number): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOCTTY)
  } catch (error) {
    closeSync(master)
    throw error
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
    const started = start(order, [
      { duplicate: stdin.read, as: 0 },
      { duplicate: stdout.write, as: 1 },
      { duplicate: stderr.write, as: 2 },
    ])
    const input = new InputQueue(stdin.write)
    const readers = [
      new OutputReader(stdout.read, 'pipe', (bytes) => order.onOutput('stdout', bytes)),
      new OutputReader(stderr.read, 'pipe', (bytes) => order.onOutput('stderr', bytes)),
    ]
    opened.splice(0, opened.length, stdin.read, stdout.write, stderr.write)
    return {
      ...started,
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

type Started = Pick<RunningProcess, 'pid' | 'lockLimit'>

/** The one of this process, whose signals it shares. */
const reaper = new ChildReaper()

function start(order: StartOrder, descriptors: readonly DescriptorAction[]): Started {
  const { result: pid, lockLimit } = withLockLimit(order.lockLimit, () => posixSpawn({ ...order, descriptors }))
  reaper.watch(pid, order.onExit)
  return { pid, lockLimit }
}
