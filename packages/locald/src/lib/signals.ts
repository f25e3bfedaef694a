// Signal names as people write them.
import { constants } from 'node:os'

/** Names of this system's signals, with their SIG prefix. */
export const signalNames: readonly string[] = Object.keys(constants.signals)

/** `"int"`, `"SIGINT"`, `"Int"` → `"SIGINT"`; `undefined` when this system has no signal of that name. */
export function parseSignal(written: string): NodeJS.Signals | undefined {
  const upper = written.trim().toUpperCase()
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`
  return isSignal(name) ? name : undefined
}

function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name)
}
