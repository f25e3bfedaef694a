// `locald stop`: nothing of the services is left, or a list of what is.
import { existsSync } from 'node:fs'
import { exitCodes } from '@locald/protocol'
import type { ServiceSnapshot } from '@locald/protocol'
import { isListening } from '../../client/is-listening.ts'
import { aliveLines } from '../alive-lines.ts'
import { AliveWatch } from '../alive-watch.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { followOrder } from '../follow-order.ts'
import { interruptedExit } from '../interrupted.ts'
import type { OrderResult } from '../follow-order.ts'
import { formatDuration } from '../output/durations.ts'
import { withoutNotes } from '../without-notes.ts'
import { labelIn } from '../output/service-words.ts'
import { orderError } from '../report-outcome.ts'

export async function stop(given: CommandContext, call: Invocation): Promise<number> {
  const isJson = call.flag('json')
  const context = isJson ? withoutNotes(given) : given
  const { output, installation, now } = context
  // Without a daemon, services may still run: those of a keeper that was killed. Only the next daemon can tell.
  if (!(await isListening(installation)) && !existsSync(installation.journal)) {
    await (await import('../offline-project.ts')).refuseUnknown(context, call.args)
    output.note('Nothing is running')
    if (isJson) output.printJson({ projects: [] })
    return exitCodes.ok
  }
  const client = await context.connect()
  const startedAt = now()
  const before = await client.status(context.selector)
  const request = { ...context.selector, kind: 'stop' as const, services: call.args }
  const kill = async (order: string): Promise<void> => {
    await client.order({ ...request, now: true, order: `${order}-now` })
  }
  let killing: Promise<void> = Promise.resolve()
  using alive = new AliveWatch({
    ask: async () => (await client.processes(context.selector, call.args)).services,
    // Where lines are drawn over, who is alive stands in them.
    onAlive: output.isLive ? () => {} : aliveLines(context),
  })
  const result = await followOrder(context, client, {
    request: { ...request, now: call.flag('now') },
    title: 'Stopping',
    isDone: isDown,
    aliveOf: (label) => alive.of(label),
    onInterrupt: (count, order, say) => {
      if (count === 1) {
        say('Stopping goes on; press Ctrl-C again to kill at once')
        return 'stay'
      }
      if (count > 2) return 'leave'
      killing = kill(order)
      killing.catch(() => {}) // Awaited below, where its failure is reported.
      return 'stay'
    },
  })
  await killing
  if (result.ended === null) {
    output.note('Detached: stopping goes on in the background. See "locald status"')
    return interruptedExit
  }
  if (isJson) output.printJson(result.project)
  noteDependents(context, result, call.args)
  const wasUp = 'services' in before ? before.services.filter((snapshot) => !isDown(snapshot)) : []
  return reportStop(context, result, { wasUp, tookMs: now() - startedAt, isJson })
}

function isDown({ state }: ServiceSnapshot): boolean {
  return state === 'stopped' || state === 'completed' || state === 'failed'
}

interface StopReport {
  readonly wasUp: readonly ServiceSnapshot[]
  readonly tookMs: number
  readonly isJson: boolean
}

function reportStop(
  { output }: CommandContext,
  { ended, project, services }: OrderResult,
  { wasUp, tookMs, isJson }: StopReport,
): number {
  const { style } = output.side
  // A later stop that took over (a second Ctrl-C, another terminal) is as good, when everything is down in the end.
  const isSuperseded = ended?.outcome === 'superseded' && services.every(isDown)
  if (ended === null || ended.outcome === 'done' || isSuperseded) {
    const stopped = wasUp.filter((was) => services.some((s) => s.name === was.name && s.instance === was.instance))
    const names = stopped.map((snapshot) => labelIn(project.services, snapshot)).join(', ')
    output.note(names === '' ? 'Nothing was running' : `Stopped ${names} in ${formatDuration(tookMs)}`)
    for (const problem of ended?.problems ?? []) output.note(`${style.yellow('warning:')} ${problem}`)
    return exitCodes.ok
  }
  const reason = ended.outcome === 'superseded' ? 'superseded by a later order' : 'something is left'
  if (isJson) throw orderError(ended, reason)
  output.note(`${style.red(style.bold('error:'))} "locald stop" failed: ${reason}`)
  for (const problem of ended.problems) output.note(`  ${problem}`)
  return exitCodes.failed
}

/** Names what still runs and depends on what was stopped. */
function noteDependents({ output }: CommandContext, { project }: OrderResult, names: readonly string[]): void {
  const { style } = output.side
  if (names.length === 0) return
  for (const name of new Set(names.map((each) => each.replace(/\.\d+$/, '')))) {
    const dependents = project.services.filter((snapshot) => !isDown(snapshot) && snapshot.depends_on.includes(name))
    if (dependents.length === 0) continue
    const labels = dependents.map((snapshot) => labelIn(project.services, snapshot)).join(', ')
    output.note(`${style.yellow('warning:')} Still running, and in need of "${name}": ${labels}`)
  }
}
