// Which processes wait for somebody to type: behind one function for every platform.
import { linuxTerminalReaders } from './linux-terminal-readers.ts'
import type { TerminalReaders } from './terminal-reader-source.ts'

/** macOS does not tell in which call a process waits: there nobody is seen waiting. */
const untold: TerminalReaders = { terminalOf: () => null, waitingFor: () => [] }

export const terminalReaders: TerminalReaders = process.platform === 'linux' ? linuxTerminalReaders : untold
