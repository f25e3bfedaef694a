// A project as the answer of a command: its table, or JSON.
import type { ProjectStatus } from '@locald/protocol'
import type { CommandContext } from './command.ts'
import { renderServices } from './output/service-table.ts'

export function printProject({ output, now }: CommandContext, project: ProjectStatus, isJson: boolean): void {
  if (isJson) {
    output.printJson(project)
    return
  }
  const { style, width } = output.answer
  output.print(renderServices(project.services, { style, width: width(), now: now() }).join('\n'))
}
