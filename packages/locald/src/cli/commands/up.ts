// `locald up`: everything healthy, or a report on what is not.
import { exitCodes } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { followOrder } from '../follow-order.ts'
import { interruptedExit } from '../interrupted.ts'
import type { OrderResult } from '../follow-order.ts'
import { definedVariables, durationOption, variableOptions } from '../option-values.ts'
import { openLine } from '../output/open-line.ts'
import { withoutNotes } from '../without-notes.ts'
import { isReady } from '../output/service-words.ts'
import { printProject } from '../print-project.ts'
import { reportedServices, reportOutcome, reportWarnings } from '../report-outcome.ts'

export async function up(given: CommandContext, call: Invocation): Promise<number> {
  const isJson = call.flag('json')
  const context = isJson ? withoutNotes(given) : given
  const { output } = context
  const isWaiting = !call.flag('no-wait')
  const timeoutMs = durationOption(call, 'timeout')
  const env = variableOptions(call, 'env')
  const client = await context.connect()
  const request = {
    ...context.selector,
    kind: 'up' as const,
    services: call.args,
    shell_env: definedVariables(context.env),
    ...(env === undefined ? {} : { env }),
    ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }),
  }
  if (!isWaiting) {
    const { randomUUID } = await import('node:crypto')
    const { status } = await client.order({ ...request, order: randomUUID() })
    printProject(context, status, { isJson })
    return exitCodes.ok
  }
  const result = await followOrder(context, client, {
    request,
    title: 'Starting',
    isDone: isReady,
    onInterrupt: () => 'leave',
  })
  reportWarnings(context, result.project)
  if (result.ended === null) {
    output.note('Detached: starting goes on in the background. See "locald status", end it with "locald stop"')
    return interruptedExit
  }
  printProject(context, result.project, { isJson, reported: reportedServices(result) })
  const code = await reportOutcome(context, client, result, { isJson })
  if (code === exitCodes.ok && !isJson) noteNextSteps(context, result)
  return code
}

function noteNextSteps({ output }: CommandContext, { services }: OrderResult): void {
  if (services.length === 0) return
  const { style } = output.side
  const addresses = services.flatMap(({ url, state }) => (url === null || state !== 'running' ? [] : [url]))
  output.note('')
  if (addresses.length > 0) output.note(openLine(addresses, style))
  output.note(`Logs  ${style.bold('locald logs -f')}`)
  output.note(`Stop  ${style.bold('locald stop')}`)
}
