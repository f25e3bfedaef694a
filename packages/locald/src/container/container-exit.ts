// How a container ended, from what the engine says of it.
import { constants } from 'node:os'

export interface ContainerExit {
  readonly code: number | null
  readonly signal: string | null
  readonly reason: string | null
}

export interface EndedContainer {
  readonly exitCode: number
  readonly isOutOfMemory: boolean
  /** What the engine could not do; mostly empty. */
  readonly error: string
  /** Signals that were sent to it. */
  readonly signals: ReadonlySet<string>
}

/**
 * The engine tells 128 + n both for a process that signal n ended and for one that exited with that code. Where we sent that
 * signal, or the kernel did for want of memory, it is told as a signal.
 */
export function containerExit({ exitCode, isOutOfMemory, error, signals }: EndedContainer): ContainerExit {
  if (isOutOfMemory && exitCode === 128 + constants.signals.SIGKILL) {
    return { code: null, signal: 'SIGKILL', reason: 'killed by SIGKILL: it was out of memory' }
  }
  const signal = exitCode > 128 ? signalName(exitCode - 128) : null
  if (signal !== null && signals.has(signal)) return { code: null, signal, reason: null }
  const notes = [...(isOutOfMemory ? ['a process in it was out of memory'] : []), ...(error === '' ? [] : [error])]
  const reason = notes.length === 0 ? null : `exited with code ${exitCode}: ${notes.join('; ')}`
  return { code: exitCode, signal: null, reason }
}

function signalName(number: number): string | null {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null
}

/** Why a container could not be created or started, in the words of somebody who wants to mend it. */
export function describeStartFailure(message: string, image: string): string {
  const missing = /exec: "([^"]+)": (?:executable file not found in \$PATH|stat [^:]+: no such file or directory)/.exec(
    message,
  )
  if (missing !== null) return `command not found in the image "${image}": ${missing[1]}`
  const port = /(?:listen tcp4? |Bind for )[\d.]+:(\d+).*(?:address already in use|port is already allocated)/.exec(
    message,
  )
  if (port !== null) return `port ${port[1]} is taken by somebody else`
  return message
    .replace(
      /^(?:failed to create (?:shim )?task(?: for container)?: )?OCI runtime create failed: (?:runc create failed: )?/,
      '',
    )
    .replace(/: unknown$/, '')
}
