// Where the words of a command go: answers to stdout, everything else to stderr.
import { styleFor, wantsColours } from './style.ts'
import type { Style } from './style.ts'

/** One of the two streams, with what it can show. */
export interface Screen {
  /** Written as it is. */
  readonly write: (text: string) => void
  readonly style: Style
  readonly isTerminal: boolean
  /** Columns now; null where it is not a terminal, and as wide as one likes. */
  readonly width: () => number | null
  /** Rows now; null where it is not a terminal. */
  readonly height: () => number | null
}

export interface Output {
  readonly answer: Screen
  readonly side: Screen
  /** A line, or several, of the answer. */
  readonly print: (text: string) => void
  /** The answer of a command with `--json`. */
  readonly printJson: (value: unknown) => void
  /** A line, or several, of progress, warnings and hints. */
  readonly note: (text: string) => void
  /** Aborts once nobody reads the answer any more (`| head`). */
  readonly closed: AbortSignal
  /** Whether to draw over what was drawn: a terminal, and not in CI. */
  readonly isLive: boolean
}

/** What of a stream is used, so that a test can give another. */
export interface OutputStream {
  write(text: string): unknown
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** The streams are made when they are first used: each takes its time, and most commands use one. */
export interface OutputOptions {
  readonly stdout: () => OutputStream
  readonly stderr: () => OutputStream
  readonly env: Readonly<Record<string, string | undefined>>
}

export function createOutput({ stdout, stderr, env }: OutputOptions): Output {
  let closed: AbortController | undefined
  let isClosed = false
  const answer = screenOn(stdout, env, () => {
    isClosed = true
    closed?.abort()
  })
  const side = screenOn(stderr, env, () => {})
  return {
    answer,
    side,
    print: (text) => answer.write(`${text}\n`),
    printJson: (value) => answer.write(`${JSON.stringify(value, null, answer.isTerminal ? 2 : 0)}\n`),
    note: (text) => side.write(`${text}\n`),
    get closed() {
      closed ??= new AbortController()
      if (isClosed) closed.abort()
      return closed.signal
    },
    get isLive() {
      return side.isTerminal && env['TERM'] !== 'dumb' && (env['CI'] === undefined || env['CI'] === '')
    },
  }
}

function screenOn(
  open: () => OutputStream,
  env: Readonly<Record<string, string | undefined>>,
  onClosed: () => void,
): Screen {
  let opened: OutputStream | undefined
  let style: Style | undefined
  let isOpen = true
  const stream = (): OutputStream => {
    if (opened !== undefined) return opened
    opened = open()
    opened.on('error', (error) => {
      // Whoever read it has enough. Another error (a full disk behind a redirection) must not pass for success.
      if (error.code !== 'EPIPE') throw error
      isOpen = false
      onClosed()
    })
    return opened
  }
  const isTerminal = (): boolean => stream().isTTY === true
  return {
    write: (text) => {
      if (isOpen) stream().write(text)
    },
    get style() {
      style ??= styleFor(wantsColours(isTerminal(), env))
      return style
    },
    get isTerminal() {
      return isTerminal()
    },
    width: () => (isTerminal() ? known(stream().columns, 80) : null),
    height: () => (isTerminal() ? known(stream().rows, 24) : null),
  }
}

/** A terminal that was never told its size says 0. */
function known(size: number | undefined, otherwise: number): number {
  return size === undefined || size === 0 ? otherwise : size
}
