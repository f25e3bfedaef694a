import { exitCodes } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'

/** `locald server start`: for those who do not want to wait for it later. */
export async function serverStart(context: CommandContext, call: Invocation): Promise<number> {
  const client = await context.connect({ fresh: call.flag('fresh') })
  const { daemon } = await client.server()
  context.output.note(
    daemon === null ? 'The daemon is starting' : `The daemon runs (pid ${daemon.pid}, version ${daemon.version})`,
  )
  return exitCodes.ok
}
