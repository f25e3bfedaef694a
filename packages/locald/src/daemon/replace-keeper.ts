// The keeper was lost, and with it whoever would start the next daemon: this one starts another keeper before it ends.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { listenersText, listenersVariable } from '../lib/inherited-listener.ts'
import type { InheritedListener } from '../lib/inherited-listener.ts'

/** The environment variable that tells a daemon how many keepers in a row were lost at once, the latest included. */
export const lossesVariable = 'LOCALD_KEEPER_LOSSES'

/** A keeper that is lost within so short a time may be lost for what the next one meets as well. */
const shortestLifeMs = 1000
const mostLosses = 5

export interface KeeperLoss {
  /** How many in a row were lost within their first second, this one included. */
  readonly count: number
  /** Until another one is started; null: that is left to the next command. */
  readonly delayMs: number | null
}

/** What to do after a keeper that has lived for so long; `before` is the variable of this daemon. */
export function keeperLoss(livedMs: number, before: string | undefined): KeeperLoss {
  if (livedMs >= shortestLifeMs) return { count: 0, delayMs: 0 }
  const count = 1 + (/^\d$/.test(before ?? '') ? Number(before) : 0)
  if (count >= mostLosses) return { count, delayMs: null }
  return { count, delayMs: count === 1 ? 0 : 100 * 2 ** (count - 2) }
}

export interface KeeperReplacement {
  /** The keeper's program. */
  readonly program: string
  readonly log: string
  /** The API's listening socket, so that whoever connects meanwhile waits for the next daemon. */
  readonly listener: number
  /** Those of the proxy, for the same reason. */
  readonly proxyListeners: readonly InheritedListener[]
  /** See `lossesVariable`. */
  readonly losses: number
}

/** Of the descriptors of the new keeper: behind its answer, which nobody waits for, and the API's. */
const firstListener = 5

/** It ends what its predecessor has left behind, and starts a daemon. Returns its pid. */
export function replaceKeeper({
  program,
  log,
  listener,
  proxyListeners,
  losses,
}: KeeperReplacement): number | undefined {
  const output = openSync(log, 'a', 0o600)
  const handedOn = proxyListeners.map((each, index) => ({ ...each, fd: firstListener + index }))
  try {
    const child = spawn(process.execPath, [program, '--listener'], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', output, output, 'ignore', listener, ...proxyListeners.map(({ fd }) => fd)],
      env: { ...process.env, [listenersVariable]: listenersText(handedOn), [lossesVariable]: String(losses) },
    })
    child.on('error', () => {}) // told by the missing pid; the next command starts one
    return child.pid
  } finally {
    closeSync(output)
  }
}
