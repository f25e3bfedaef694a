// A terminal of a test's own, with a shell command on it, as a user has it in front of them.
import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startProcess } from '../../packages/locald/src/keeper/start-process.ts'

/** The built command, for use in a shell command of a terminal. */
export const loc = `"${process.execPath}" "${process.env['LOCALD_BIN'] ?? fileURLToPath(new URL('../../packages/locald/bin/locald.cjs', import.meta.url))}"`

export interface Terminal extends AsyncDisposable {
  readonly pid: number
  /** Everything written to it so far, as it was written. */
  readonly output: () => string
  type(text: string): void
  resize(cols: number, rows: number): void
  signal(signal: NodeJS.Signals): void
  /** Resolves with the match once something that was written after the last call matches; rejects after 10 s or at its end. */
  waitFor(pattern: RegExp | string): Promise<RegExpExecArray>
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
}

export interface TerminalOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly cols?: number
  readonly rows?: number
}

export function openTerminal(command: string, { cwd, env, cols = 80, rows = 24 }: TerminalOptions): Terminal {
  let text = ''
  let seen = 0
  let exit: { readonly code: number | null } | null = null
  const listeners = new Set<() => void>()
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  let end: (code: number | null) => void = () => {}
  const ended = new Promise<number | null>((resolve) => (end = resolve))
  const decoder = new TextDecoder()
  const child = startProcess({
    program: '/bin/sh',
    argv: ['/bin/sh', '-c', command],
    cwd,
    env: { ...env, TERM: 'xterm-256color' },
    tty: { cols, rows },
    lockLimit: randomInt(2 ** 40, 2 ** 47),
    onOutput: (_, bytes) => {
      text += decoder.decode(bytes, { stream: true })
      tell()
      return true
    },
    onExit: ({ code }) => {
      child.drain()
      exit = { code }
      tell()
      end(code)
    },
  })
  return {
    pid: child.pid,
    output: () => text,
    type: (typed) => void child.write(Buffer.from(typed)),
    resize: (width, height) => void child.resize(width, height),
    signal: (signal) => void process.kill(child.pid, signal),
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const expression =
          typeof pattern === 'string' ? new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&'), 'u') : pattern
        const finish = (act: () => void): void => {
          clearTimeout(timer)
          listeners.delete(look)
          act()
        }
        const fail = (why: string): void =>
          finish(() => reject(new Error(`${why} ${String(expression)}; on the terminal:\n${JSON.stringify(text)}`)))
        const look = (): void => {
          const match = expression.exec(text.slice(seen))
          if (match !== null) {
            seen += match.index + match[0].length
            finish(() => resolve(match))
          } else if (exit !== null) fail('It ended without')
        }
        const timer = setTimeout(() => fail('Nothing in time like'), 10_000)
        listeners.add(look)
        look()
      }),
    ended,
    [Symbol.asyncDispose]: async () => {
      if (exit === null) {
        try {
          process.kill(child.pid, 'SIGKILL')
        } catch {
          // It has ended just now.
        }
        await ended
      }
      child.close()
    },
  }
}
