import { dirname, join } from 'node:path'
import { exitCodes } from '@locald/protocol'
import type { CommandContext } from '../command.ts'

/** `locald server restart`: another daemon, of this version unless it is the older one; the same keeper, the same services. */
export async function serverRestart(context: CommandContext): Promise<number> {
  const { output } = context
  const client = await context.connect()
  const before = await client.server()
  const program = join(dirname(context.keeperProgram), 'daemon.cjs')
  await client.restartServer({ program, version: context.version })
  for (;;) {
    // The old one may still answer; the next question waits in the backlog until there is a new one.
    const { daemon } = await client.server()
    if (daemon !== null && daemon.pid !== before.daemon?.pid) {
      output.note(`The daemon was replaced (pid ${daemon.pid}, version ${daemon.version}); services keep running`)
      return exitCodes.ok
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
