import type { TerminalSize } from '@locald/protocol'

/** Size of a service's terminal as long as nobody who is attached to it has typed. */
export const defaultTerminalSize: TerminalSize = { cols: 120, rows: 40 }
