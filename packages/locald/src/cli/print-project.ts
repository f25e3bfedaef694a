// A project as the answer of a command: its table, or JSON.
import type { ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import type { CommandContext } from './command.ts'
import { renderServices } from './output/service-table.ts'

/** `reported`: those of whom the table need not say more than its columns do, because a report follows. */
export function printProject(
  { output, now }: CommandContext,
  project: ProjectStatus,
  { isJson, reported = [] }: { readonly isJson: boolean; readonly reported?: readonly ServiceSnapshot[] },
): void {
  if (isJson) {
    output.printJson(project)
    return
  }
  const { style, width } = output.answer
  const isReported = (snapshot: ServiceSnapshot): boolean => reported.includes(snapshot)
  output.print(renderServices(project.services, { style, width: width(), now: now(), isReported }).join('\n'))
}
