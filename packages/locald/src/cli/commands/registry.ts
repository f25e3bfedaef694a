// `locald registry …`: the projects that locald knows, and which of them come back after a reboot.
import { exitCodes } from '@locald/protocol'
import type { RegistryEntry } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { formatDuration } from '../output/durations.ts'
import { renderTable } from '../output/table.ts'

export async function registryList(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const list = await (await context.connect()).registry()
  if (call.flag('json')) output.printJson(list)
  else if (list.projects.length === 0) output.note('No projects are known. Start one with "locald up" in its directory')
  else output.print(renderEntries(context, list.projects).join('\n'))
  return exitCodes.ok
}

export async function registryPin(context: CommandContext, call: Invocation): Promise<number> {
  return changePin(context, call, true)
}

export async function registryUnpin(context: CommandContext, call: Invocation): Promise<number> {
  return changePin(context, call, false)
}

export async function registryClean(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const removed = await (await context.connect()).cleanRegistry()
  if (call.flag('json')) output.printJson(removed)
  else if (removed.projects.length === 0) output.note('There is nothing to clean')
  for (const { project, file } of call.flag('json') ? [] : removed.projects) {
    output.note(`Forgot "${project}" and its logs: there is no ${file} any more`)
  }
  return exitCodes.ok
}

async function changePin(context: CommandContext, call: Invocation, pinned: boolean): Promise<number> {
  const { output } = context
  const [project] = call.args
  const client = await context.connect()
  const request = project === undefined ? { ...context.selector, pinned } : { project, pinned }
  const entry = await client.pin(request)
  if (call.flag('json')) output.printJson(entry)
  else if (pinned) output.note(`"${entry.project}" is pinned: what is up of it comes back after a reboot`)
  else output.note(`"${entry.project}" is not pinned: after a reboot it stays down`)
  return exitCodes.ok
}

function renderEntries({ output, now }: CommandContext, entries: readonly RegistryEntry[]): readonly string[] {
  const { style, width } = output.answer
  const columns = [
    { title: 'PROJECT' },
    { title: 'STATE' },
    { title: 'PINNED' },
    { title: 'LAST UP', spare: 2 },
    { title: 'ID', spare: 3 },
    { title: 'DIRECTORY', spare: 1 },
  ]
  const rows = entries.map((entry) => [
    { text: entry.project, paint: style.bold },
    stateCell(entry, style),
    { text: entry.pinned ? 'yes' : 'no' },
    { text: entry.up_at === null ? '-' : `${formatDuration(now() - Date.parse(entry.up_at))} ago` },
    { text: entry.id },
    { text: entry.root },
  ])
  return renderTable(columns, rows, { style, width: width() })
}

function stateCell(
  { running, missing }: RegistryEntry,
  style: CommandContext['output']['answer']['style'],
): { readonly text: string; readonly paint?: (text: string) => string } {
  if (running) return { text: 'up', paint: style.green }
  return missing ? { text: 'missing', paint: style.red } : { text: 'down' }
}
