// Tells a running daemon to look again: other CAs are trusted now, or other names lead to this machine.
import { apiPrefix } from '@locald/protocol'
import { apiSocketOf, callerOf } from '../admin/caller.ts'
import { sendPlainRequest } from '../client/plain-request.ts'
import { NobodyListens } from '../client/request-errors.ts'
import type { CommandContext } from './command.ts'

const timeoutMs = 10_000

/** Without a daemon there is nobody to tell; one that is too old for it shows no https. */
export async function tellTrustChanged({ installation }: CommandContext): Promise<void> {
  await tell(installation.apiSocket)
}

/** Under sudo the daemon of whoever called that. It finds out by itself a little later, so that a failure costs no more than that. */
export async function tellNamesChanged({ env, output }: CommandContext): Promise<void> {
  try {
    const socket = await apiSocketOf(await callerOf(env, process.getuid?.() ?? 0))
    if (socket !== null) await tell(socket)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    output.note(`${output.side.style.yellow('warning:')} The daemon could not be told: ${reason}`)
  }
}

async function tell(socket: string): Promise<void> {
  try {
    await sendPlainRequest({ socket, method: 'POST', path: `${apiPrefix}/trust`, timeoutMs })
  } catch (error) {
    if (!(error instanceof NobodyListens)) throw error
  }
}
