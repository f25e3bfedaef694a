// `locald alias`: a host name for something that locald does not run.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { AliasEntry } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { renderTable } from '../output/table.ts'
import { askOrElse } from '../without-daemon.ts'

export async function alias(context: CommandContext, call: Invocation): Promise<number> {
  const [name, port] = call.args
  if (name === undefined) {
    if (!call.flag('remove')) return await list(context, call)
    throw new LocaldError('usage', '"locald alias --remove" needs a name', {
      hint: 'See which there are: locald alias',
    })
  }
  const host = (name.includes('.') ? name : `${name}.localhost`).toLowerCase()
  if (call.flag('remove')) return await remove(context, call, host)
  const number = Number(port)
  if (port === undefined || !/^\d+$/.test(port) || number < 1 || number > 65_535) {
    throw new LocaldError(
      'usage',
      port === undefined ? `"locald alias ${name}" needs a port` : `"${port}" is not a port`,
      {
        hint: `For example: locald alias ${name} 3000`,
      },
    )
  }
  const { alias: entry } = await (await context.connect()).setAlias(host, number)
  if (call.flag('json')) context.output.printJson(entry)
  else context.output.print(entry.url ?? entry.host)
  if (!call.flag('json')) noteObstacle(context, entry)
  return exitCodes.ok
}

async function list(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const { aliases } = await askOrElse(
    context,
    async (client) => await client.aliases(),
    async () => ({ aliases: [] }),
  )
  if (call.flag('json')) output.printJson({ aliases })
  else if (aliases.length === 0) output.print('There are no aliases. Make one: locald alias grafana 3000')
  else {
    const rows = aliases.map(({ host, port, url }) => [{ text: host }, { text: String(port) }, { text: url ?? '-' }])
    const columns = [{ title: 'NAME' }, { title: 'PORT', align: 'right' as const }, { title: 'ADDRESS', spare: 1 }]
    output.print(renderTable(columns, rows, { width: output.answer.width(), style: output.answer.style }).join('\n'))
  }
  return exitCodes.ok
}

async function remove(context: CommandContext, call: Invocation, host: string): Promise<number> {
  const { removed } = await (await context.connect()).removeAlias(host)
  if (!removed) {
    throw new LocaldError('service_unknown', `There is no alias "${host}"`, {
      hint: 'See which there are: locald alias',
    })
  }
  if (call.flag('json')) context.output.printJson({ host, removed })
  else context.output.note(`Removed ${host}`)
  return exitCodes.ok
}

/** Why it cannot be opened yet. */
function noteObstacle({ output }: CommandContext, { host, project, url }: AliasEntry): void {
  const { style } = output.side
  const [warning, hint] = [style.yellow('warning:'), style.cyan('hint:')]
  if (project !== null) {
    output.note(`${warning} ${host} leads to the project "${project}" for as long as locald knows that`)
  } else if (url === null) {
    output.note(
      `${warning} Nothing opens ${host} yet: this machine does not know the name, or nothing is served by name`,
    )
    output.note(`${hint} Tell it: locald admin sync-hosts; or see what is wrong: locald doctor`)
  }
}
