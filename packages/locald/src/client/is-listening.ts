// Whether the daemon can be reached: all that most commands need to know of it before they ask it something.
import { connect } from 'node:net'
import { LocaldError } from '@locald/protocol'
import type { Installation } from '../lib/installation.ts'
import { checkSocketPath } from './socket-path.ts'

/** Whether somebody listens on the daemon's socket now. Starts nothing. */
export async function isListening(installation: Installation): Promise<boolean> {
  checkSocketPath(installation)
  return new Promise((resolve, reject) => {
    const socket = connect(installation.apiSocket)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR') resolve(false)
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(cannotReach(installation, error))
    })
  })
}

function cannotReach(installation: Installation, error: NodeJS.ErrnoException): LocaldError {
  return new LocaldError(
    'daemon_unreachable',
    `Cannot connect to the daemon at "${installation.apiSocket}": ${error.code ?? error.message}`,
    { cause: error },
  )
}
