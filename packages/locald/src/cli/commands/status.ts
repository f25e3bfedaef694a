// `locald status`: on the path that has to be fast, so nothing here loads more than it shows.
import { exitCodes } from '@locald/protocol'
import type { AllProjects, ProjectStatus } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { renderServices } from '../output/service-table.ts'
import { askOrElse } from '../without-daemon.ts'

export async function status(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const isAll = call.flag('all')
  const answer = await askOrElse(
    context,
    (client) => client.status(context.selector, isAll),
    async () => (isAll ? { projects: [] } : (await import('../offline-status.ts')).offlineStatus(context)),
  )
  if (call.flag('json')) output.printJson(answer)
  else if ('projects' in answer) printProjects(context, answer)
  else printOne(context, answer)
  return exitCodes.ok
}

function printProjects(context: CommandContext, { projects }: AllProjects): void {
  const { output } = context
  if (projects.length === 0) {
    output.print('No projects are known. Start one with "locald up" in its directory')
    return
  }
  for (const [index, project] of projects.entries()) {
    if (index > 0) output.print('')
    const { style } = output.answer
    output.print(`${style.bold(project.project)}  ${style.dim(project.root)}`)
    printOne(context, project)
  }
}

function printOne({ output, now }: CommandContext, project: ProjectStatus): void {
  const { style, width } = output.answer
  output.print(renderServices(project.services, { style, width: width(), now: now() }).join('\n'))
  for (const warning of project.warnings) output.note(`${output.side.style.yellow('warning:')} ${warning}`)
}
