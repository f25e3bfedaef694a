// The terminal that this command was started on, handed over to somebody else for a while.
import { spawnSync } from 'node:child_process'
import type { TerminalSize } from '@locald/protocol'

/**
 * `keys`: each key at once, with nothing done by the terminal itself. `lines`: whole lines, edited as ever, and at once what
 * ends with Ctrl-Q.
 */
export type InputMode = 'keys' | 'lines'

/** `stty` and not Node's raw mode, which goes on changing line ends of the output. */
const settings: Readonly<Record<InputMode, readonly string[]>> = {
  keys: ['raw', '-echo', '-iexten'],
  // Without flow control Ctrl-Q is a key like any other.
  lines: ['-ixon', 'eol', '^Q'],
}

/** Standard input and output. Whatever way the process ends, but for SIGKILL, the terminal is as it was before. */
export class OwnTerminal implements Disposable {
  readonly #stdin = process.stdin
  readonly #stdout = process.stdout
  #saved: string | null = null
  #isRaw = false
  readonly #restore = (): void => this.leave()
  readonly #detachers: (() => void)[] = []

  constructor() {
    process.on('exit', this.#restore)
  }

  /** Whether somebody sits at the input. */
  get isInteractive(): boolean {
    return this.#stdin.isTTY
  }

  /** Null when the output is no terminal, or one that was never told its size. */
  get size(): TerminalSize | null {
    const { isTTY, columns, rows } = this.#stdout
    return isTTY && columns > 0 && rows > 0 ? { cols: columns, rows } : null
  }

  onInput(listener: (bytes: Buffer) => void): void {
    this.#stdin.on('data', listener)
    this.#detachers.push(() => this.#stdin.off('data', listener))
  }

  /** The input is over: Ctrl-D on an empty line, or the end of a file. */
  onEnd(listener: () => void): void {
    this.#stdin.once('end', listener)
    // The terminal was closed.
    this.#stdin.once('error', listener)
    this.#detachers.push(() => this.#stdin.off('end', listener).off('error', listener))
  }

  /** Nobody reads the output any more. */
  onClosed(listener: () => void): void {
    this.#stdout.on('error', listener)
    this.#detachers.push(() => this.#stdout.off('error', listener))
  }

  onResize(listener: () => void): void {
    this.#stdout.on('resize', listener)
    this.#detachers.push(() => this.#stdout.off('resize', listener))
  }

  /** Does nothing where the input is no terminal. */
  enter(mode: InputMode): void {
    if (!this.isInteractive) return
    this.#saved ??= stty(['-g'])
    if (this.#saved !== null && stty(settings[mode]) !== null) return
    this.#saved = null
    if (mode === 'keys') this.#stdin.setRawMode(true)
    this.#isRaw = mode === 'keys'
  }

  /** Puts back what `enter` changed. May be called twice. */
  leave(): void {
    if (this.#saved !== null) stty([this.#saved])
    this.#saved = null
    if (this.#isRaw) this.#stdin.setRawMode(false)
    this.#isRaw = false
  }

  /** Resolves when the terminal has taken it: a slow one slows down who writes. */
  async write(bytes: Buffer | string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#stdout.write(bytes, () => resolve())
    })
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#restore)
    for (const detach of this.#detachers) detach()
    this.#stdin.pause()
    this.leave()
  }
}

/** What it prints; null when it fails or is not there. */
function stty(args: readonly string[]): string | null {
  const { status, stdout } = spawnSync('stty', args, { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}
