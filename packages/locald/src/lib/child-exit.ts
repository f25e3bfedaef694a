// How a child that Node knows nothing of has ended.
import { constants } from 'node:os'
import { waitForChild } from './native.ts'

/** Both are null when somebody else has reaped it. */
export interface ChildExit {
  readonly code: number | null
  /** A name, or `SIG` and the number of a signal that has none. */
  readonly signal: string | null
}

/** https://man7.org/linux/man-pages/man3/wait.3p.html: bits 0 to 6 of a wait status hold a signal, 8 to 15 the code. */
export function childExit(status: number): ChildExit {
  if (status < 0) return { code: null, signal: null }
  const number = status & 0x7f
  if (number === 0) return { code: (status >> 8) & 0xff, signal: null }
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
  return { code: null, signal: name ?? `SIG${number}` }
}

/** Reaps children and tells how they ended, on the system's own signal for that. */
export class ChildReaper {
  readonly #waiting = new Map<number, (exit: ChildExit) => void>()
  readonly #reap = (): void => {
    for (const [pid, ended] of this.#waiting) {
      const status = waitForChild(pid)
      if (status === null) continue
      this.#waiting.delete(pid)
      if (this.#waiting.size === 0) process.off('SIGCHLD', this.#reap)
      ended(childExit(status))
    }
  }

  /** Call in the turn of the event loop in which the child was started; `ended` is called in a later one. */
  watch(pid: number, ended: (exit: ChildExit) => void): void {
    if (this.#waiting.size === 0) process.on('SIGCHLD', this.#reap)
    this.#waiting.set(pid, ended)
  }
}
