// What an order came to, when that is not what was asked for: who failed, how, and its last words.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { LogLine, OrderEnded, ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import type { ApiClient } from '../client/api-client.ts'
import type { CommandContext } from './command.ts'
import type { OrderResult } from './follow-order.ts'
import { describeService, isTroubled, labelIn } from './output/service-words.ts'

/** Lines of output shown of each service that failed. */
const lastLines = 15

/** Those that `reportOutcome` tells about. */
export function reportedServices({ ended, services }: OrderResult): readonly ServiceSnapshot[] {
  return ended === null || ended.outcome === 'done' ? [] : services.filter(isTroubled)
}

const reasons = {
  failed: 'not everything came up',
  timeout: 'its time was up',
  superseded: 'superseded by a later order',
}

/** What `--json` says of an order that was not carried out. */
export function orderError({ kind, outcome, problems }: OrderEnded, reason: string): LocaldError {
  const details = problems.length === 0 ? '' : `: ${problems.join('; ')}`
  return new LocaldError(
    outcome === 'timeout' ? 'timed_out' : 'order_failed',
    `"locald ${kind}" failed: ${reason}${details}`,
  )
}

/** Writes the report to stderr; returns the exit code. With `isJson` it rejects with the failure instead. */
export async function reportOutcome(
  context: CommandContext,
  client: ApiClient,
  result: OrderResult,
  { isJson }: { readonly isJson: boolean },
): Promise<number> {
  const { ended, project } = result
  const { output, now } = context
  const { style } = output.side
  if (ended === null || ended.outcome === 'done') return exitCodes.ok
  if (isJson) throw orderError(ended, reasons[ended.outcome])
  const told = new Set<string>()
  let wasQuoted = true
  for (const snapshot of reportedServices(result)) {
    const label = labelIn(project.services, snapshot)
    const words = hasSpoken(snapshot, result.givenAt) ? await lastWords(client, context, label, snapshot) : []
    const isQuoting = words.length > 0
    if (isQuoting || wasQuoted) output.note('')
    output.note(`${style.red('✗')} ${style.bold(label)} ${describeService(snapshot, now())}`)
    for (const line of words) output.note(`${style.dim('  |')} ${style.foreign(line.text)}`)
    wasQuoted = isQuoting
    told.add(`${label}: ${snapshot.reason ?? ''}`)
  }
  output.note(`\n${style.red(style.bold('error:'))} "locald ${ended.kind}" failed: ${reasons[ended.outcome]}`)
  for (const problem of ended.problems) if (!told.has(problem)) output.note(`  ${problem}`)
  return exitCodes.failed
}

/** Not of what failed without being started: what it wrote in an earlier life would look like the reason. */
function hasSpoken({ state, run, started_at: startedAt }: ServiceSnapshot, since: number): boolean {
  if (run === 0 || startedAt === null) return false
  return state !== 'failed' || Date.parse(startedAt) >= since
}

/** Warnings about the project as a whole; those of a service stand under the table. */
export function reportWarnings({ output }: CommandContext, { warnings }: ProjectStatus): void {
  const { style } = output.side
  for (const warning of warnings) output.note(`${style.yellow('warning:')} ${warning}`)
}

async function lastWords(
  client: ApiClient,
  { selector }: CommandContext,
  label: string,
  { run }: ServiceSnapshot,
): Promise<readonly LogLine[]> {
  const lines: LogLine[] = []
  try {
    const request = { services: [label], tail: lastLines, ...(run > 0 ? { run } : {}) }
    for await (const line of client.logs(selector, request)) {
      // What happened to it is said already.
      if (line.stream !== 'locald') lines.push(line)
    }
  } catch (error) {
    // The report on the failure is worth more than its illustration.
    if (!(error instanceof LocaldError)) throw error
  }
  return lines
}
