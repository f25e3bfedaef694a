import { exitCodes, LocaldError } from '@locald/protocol'
import { isListening } from '../../client/is-listening.ts'
import type { CommandContext, Invocation } from '../command.ts'

/** `locald server start`: for those who do not want to wait for it later. */
export async function serverStart(context: CommandContext, call: Invocation): Promise<number> {
  const isFresh = call.flag('fresh')
  if (isFresh && (await isListening(context.installation))) {
    throw new LocaldError('usage', 'Cannot set the journal aside: the daemon is running and uses it', {
      hint: 'Stop it first, with its services: locald server stop',
    })
  }
  const client = await context.connect(isFresh ? 'fresh' : 'retry')
  const { daemon } = await client.server()
  context.output.note(
    daemon === null ? 'The daemon is starting' : `The daemon runs (pid ${daemon.pid}, version ${daemon.version})`,
  )
  return exitCodes.ok
}
