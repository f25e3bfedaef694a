// The keeper was lost, and with it whoever would start the next daemon: this one starts another keeper before it ends.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export interface KeeperReplacement {
  /** The keeper's program. */
  readonly program: string
  readonly log: string
  /** The API's listening socket, so that whoever connects meanwhile waits for the next daemon. */
  readonly listener: number
}

/** It ends what its predecessor has left behind, and starts a daemon. Returns its pid. */
export function replaceKeeper({ program, log, listener }: KeeperReplacement): number | undefined {
  const output = openSync(log, 'a', 0o600)
  try {
    const child = spawn(process.execPath, [program, '--listener'], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', output, output, 'ignore', listener],
    })
    child.on('error', () => {}) // told by the missing pid; the next command starts one
    return child.pid
  } finally {
    closeSync(output)
  }
}
