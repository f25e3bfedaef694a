// Which processes wait for somebody to type: behind one function for every platform.
import { linuxTerminalReaders } from './linux-terminal-readers.ts'

/** A terminal, as the kernel numbers devices. */
export type TerminalDevice = number

/** What a platform tells about waiting for input. */
export interface TerminalReaders {
  /** The terminal that controls a process; null when it has none or has ended. */
  terminalOf(pid: number): TerminalDevice | null
  /**
   * Those of `pids` that are in the foreground of the terminal and wait for its input now: in a read, or in a wait for
   * several things with the terminal among them.
   */
  waitingFor(terminal: TerminalDevice, pids: readonly number[]): readonly number[]
}

/** macOS does not tell in which call a process waits: there nobody is seen waiting. */
const untold: TerminalReaders = { terminalOf: () => null, waitingFor: () => [] }

export const terminalReaders: TerminalReaders = process.platform === 'linux' ? linuxTerminalReaders : untold
