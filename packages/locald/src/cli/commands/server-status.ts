import { exitCodes } from '@locald/protocol'
import type { ServerStatus } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { formatDuration } from '../output/durations.ts'
import { askOrElse } from '../without-daemon.ts'

/** `locald server status`: starts nothing. */
export async function serverStatus(context: CommandContext, call: Invocation): Promise<number> {
  const { output, now } = context
  const status = await askOrElse<ServerStatus>(
    context,
    (client) => client.server(),
    async () => ({ daemon: null, keeper: null, proxy: null }),
  )
  if (call.flag('json')) {
    output.printJson(status)
    return exitCodes.ok
  }
  if (status.daemon === null && status.keeper === null) output.print('The daemon is not running')
  for (const name of ['daemon', 'keeper'] as const) {
    const part = status[name]
    if (part === null) continue
    const age = formatDuration(now() - Date.parse(part.started_at))
    output.print(`${name.padEnd(6)}  version ${part.version}, pid ${part.pid}, up ${age}`)
  }
  for (const warning of status.warnings ?? []) output.note(`${output.side.style.yellow('warning:')} ${warning}`)
  if (status.proxy !== null) output.print(`proxy   http ${status.proxy.http}, https ${status.proxy.https}`)
  return exitCodes.ok
}
