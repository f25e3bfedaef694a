// `locald ports`: which port is whose, and who sits on it.
import { exitCodes } from '@locald/protocol'
import type { PortRow } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { holderWords } from '../output/holder-words.ts'
import { renderTable } from '../output/table.ts'
import { askOrElse } from '../without-daemon.ts'

export async function ports(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const answer = await askOrElse(
    context,
    (client) => client.ports(context.selector),
    async () => ({ ports: await (await import('../offline-ports.ts')).offlinePorts(context) }),
  )
  if (call.flag('json')) {
    output.printJson(answer)
    return exitCodes.ok
  }
  if (answer.ports.length === 0) {
    output.note('No service has a port')
    return exitCodes.ok
  }
  const { style, width } = output.answer
  const columns = [
    { title: 'PORT', align: 'right' as const },
    { title: 'SERVICE' },
    { title: 'PROJECT', spare: 2 },
    { title: 'KIND', spare: 1 },
    { title: 'LISTENING' },
  ]
  const isReplicated = ({ project, service }: PortRow): boolean =>
    answer.ports.some((other) => other.instance > 1 && other.project === project && other.service === service)
  const rows = answer.ports.map((row) => [
    { text: String(row.port), paint: style.bold },
    { text: isReplicated(row) ? `${row.service}.${row.instance}` : row.service },
    { text: row.project },
    { text: row.kind },
    listeningCell(row, style.green, style.red),
  ])
  output.print(renderTable(columns, rows, { style, width: width() }).join('\n'))
  return exitCodes.ok
}

type Paint = (text: string) => string

function listeningCell({ listening, holder }: PortRow, good: Paint, bad: Paint): { text: string; paint?: Paint } {
  if (listening) return { text: 'yes', paint: good }
  if (holder === null) return { text: 'no' }
  return { text: `held by ${holderWords(holder)}`, paint: bad }
}
