// The keeper was lost, and with it whoever would start the next daemon: this one starts another keeper before it ends.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { listenersText, listenersVariable } from '../lib/inherited-listener.ts'
import type { InheritedListener } from '../lib/inherited-listener.ts'

export interface KeeperReplacement {
  /** The keeper's program. */
  readonly program: string
  readonly log: string
  /** The API's listening socket, so that whoever connects meanwhile waits for the next daemon. */
  readonly listener: number
  /** Those of the proxy, for the same reason. */
  readonly proxyListeners: readonly InheritedListener[]
}

/** Of the descriptors of the new keeper: behind its answer, which nobody waits for, and the API's. */
const firstListener = 5

/** It ends what its predecessor has left behind, and starts a daemon. Returns its pid. */
export function replaceKeeper({ program, log, listener, proxyListeners }: KeeperReplacement): number | undefined {
  const output = openSync(log, 'a', 0o600)
  const handedOn = proxyListeners.map((each, index) => ({ ...each, fd: firstListener + index }))
  try {
    const child = spawn(process.execPath, [program, '--listener'], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', output, output, 'ignore', listener, ...proxyListeners.map(({ fd }) => fd)],
      env: { ...process.env, [listenersVariable]: listenersText(handedOn) },
    })
    child.on('error', () => {}) // told by the missing pid; the next command starts one
    return child.pid
  } finally {
    closeSync(output)
  }
}
