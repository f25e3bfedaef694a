// Starts a program on a terminal of its own.
import { createRequire } from 'node:module'
import { requireBinary } from '@lydell/node-pty/requireBinary.js'

interface PtyBinding {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    isUtf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number }
  resize(fd: number, cols: number, rows: number): void
}

const binding = loadBinding()

function loadBinding(): PtyBinding {
  const loaded = requireBinary('pty.node')
  if (isBinding(loaded)) return loaded
  throw new Error('Cannot use the terminal binding of @lydell/node-pty: it does not have fork and resize')
}

function isBinding(loaded: unknown): loaded is PtyBinding {
  return typeof loaded === 'object' && loaded !== null && 'fork' in loaded && 'resize' in loaded
}

export interface TerminalOrder {
  /** Absolute. */
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly cols: number
  readonly rows: number
  /** The program was reaped; `signal` is 0 when it exited by itself. */
  readonly onExit: (code: number, signal: number) => void
}

/** Forks; the program leads a new session. `fd` is the terminal's master: it does not block, and children inherit it. */
export function forkTerminal(order: TerminalOrder): { readonly fd: number; readonly pid: number } {
  const env = Object.entries(order.env).map(([name, value]) => `${name}=${value}`)
  const { program, args, cwd, cols, rows, onExit } = order
  return binding.fork(program, args, env, cwd, cols, rows, -1, -1, true, helperPath(), onExit)
}

/** macOS forks through a helper program, which the binary package holds. */
function helperPath(): string {
  if (process.platform !== 'darwin') return ''
  return createRequire(import.meta.url).resolve(`@lydell/node-pty-darwin-${process.arch}/spawn-helper`)
}

export function resizeTerminal(fd: number, cols: number, rows: number): void {
  binding.resize(fd, cols, rows)
}
