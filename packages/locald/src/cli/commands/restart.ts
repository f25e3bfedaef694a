// `locald restart`: down and up again, with the environment read anew.
import type { CommandContext, Invocation } from '../command.ts'
import { followOrder } from '../follow-order.ts'
import { interruptedExit } from '../interrupted.ts'
import { definedVariables, durationOption } from '../option-values.ts'
import { withoutNotes } from '../without-notes.ts'
import { isReady } from '../output/service-words.ts'
import { printProject } from '../print-project.ts'
import { reportedServices, reportOutcome, reportWarnings } from '../report-outcome.ts'

export async function restart(given: CommandContext, call: Invocation): Promise<number> {
  const isJson = call.flag('json')
  const context = isJson ? withoutNotes(given) : given
  const timeoutMs = durationOption(call, 'timeout')
  const client = await context.connect()
  const result = await followOrder(context, client, {
    request: {
      ...context.selector,
      kind: 'restart',
      services: call.args,
      // For when nothing of it is up: then it comes up as by an `up`.
      shell_env: definedVariables(context.env),
      ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }),
    },
    title: 'Restarting',
    isDone: isReady,
    onInterrupt: () => 'leave',
  })
  if (result.ended === null) {
    context.output.note('Detached: restarting goes on in the background. See "locald status"')
    return interruptedExit
  }
  reportWarnings(context, result.project)
  printProject(context, result.project, { isJson, reported: reportedServices(result) })
  return reportOutcome(context, client, result, { isJson })
}
