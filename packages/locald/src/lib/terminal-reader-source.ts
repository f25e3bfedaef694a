// What a platform can tell about processes that wait for somebody to type.

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
