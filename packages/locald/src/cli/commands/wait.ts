// `locald wait`: for scripts that go on when something is healthy.
import { exitCodes, LocaldError, projectEvent } from '@locald/protocol'
import type { ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { matchServices } from '../match-services.ts'
import { timeLimit } from '../../lib/time-limit.ts'
import { durationOption } from '../option-values.ts'
import { withoutNotes } from '../without-notes.ts'
import { ChangeLines } from '../output/progress.ts'
import { describeService, isReady, isTroubled, labelIn } from '../output/service-words.ts'
import { printProject } from '../print-project.ts'

export async function wait(given: CommandContext, call: Invocation): Promise<number> {
  const isJson = call.flag('json')
  const context = isJson ? withoutNotes(given) : given
  const timeoutMs = durationOption(call, 'timeout')
  const client = await context.connect()
  const first = await client.status(context.selector)
  if (!('services' in first)) {
    // Throws what every other command says of such a place.
    const { discover } = await import('../../config/discover.ts')
    const { file } = await discover({ dir: context.cwd, home: context.env['HOME'] ?? '/', ...context.selector })
    throw new LocaldError('config_not_found', `Cannot wait for the services of "${file}": it has just appeared`)
  }
  matchServices(first, call.args) // Refuses unknown names before anything is waited for.
  const result = await waitFor(context, first, { names: call.args, timeoutMs })
  return report(context, result, { isJson })
}

interface Waited {
  readonly project: ProjectStatus
  readonly services: readonly ServiceSnapshot[]
}

async function waitFor(
  { output, now, selector, client }: CommandContext,
  first: ProjectStatus,
  { names, timeoutMs }: { readonly names: readonly string[]; readonly timeoutMs: number | undefined },
): Promise<Waited> {
  const changes = new ChangeLines()
  const ending = new AbortController()
  using limit = timeLimit(timeoutMs ?? Infinity, ending.signal)
  let projects: readonly ProjectStatus[] = [first]
  const look = (): Waited => {
    const project = projects.find(({ id }) => id === first.id) ?? first
    return { project, services: matchServices(project, names) }
  }
  for await (const event of client().events(selector, { signal: limit.signal })) {
    projects = event.type === 'snapshot' ? event.projects : projectEvent(projects, event)
    const waited = look()
    for (const snapshot of waited.services) {
      const line = changes.next(labelIn(waited.project.services, snapshot), snapshot, now())
      if (line !== null) output.note(line)
    }
    if (waited.services.every(isReady) || waited.services.some(isTroubled)) break
  }
  ending.abort()
  return look()
}

function report(
  context: CommandContext,
  { project, services }: Waited,
  { isJson }: { readonly isJson: boolean },
): number {
  const { output, now } = context
  if (isJson) printProject(context, project, { isJson: true })
  const missing = services.filter((snapshot) => !isReady(snapshot) || isTroubled(snapshot))
  if (missing.length === 0) return exitCodes.ok
  const { style } = output.side
  const isTimeUp = !services.some(isTroubled)
  const message = isTimeUp ? 'Not ready in time' : 'Not all services came up'
  const lines = missing.map((each) => `${labelIn(project.services, each)} ${describeService(each, now())}`)
  if (isJson) throw new LocaldError(isTimeUp ? 'timed_out' : 'order_failed', `${message}: ${lines.join('; ')}`)
  output.note(`${style.red(style.bold('error:'))} ${message}`)
  for (const line of lines) output.note(`  ${line}`)
  return exitCodes.failed
}
