// Tells a running daemon that other CAs are trusted now.
import { apiPrefix } from '@locald/protocol'
import { sendPlainRequest } from '../client/plain-request.ts'
import { NobodyListens } from '../client/request-errors.ts'
import type { CommandContext } from './command.ts'

const timeoutMs = 10_000

/** Without a daemon there is nobody to tell; one that is too old for it shows no https. */
export async function tellTrustChanged({ installation }: CommandContext): Promise<void> {
  try {
    await sendPlainRequest({ socket: installation.apiSocket, method: 'POST', path: `${apiPrefix}/trust`, timeoutMs })
  } catch (error) {
    if (!(error instanceof NobodyListens)) throw error
  }
}
