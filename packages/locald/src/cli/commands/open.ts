// `locald open`: a service in the browser, when it is able to answer.
import { exitCodes, LocaldError, projectEvent } from '@locald/protocol'
import type { ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import { timeLimit } from '../../lib/time-limit.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { matchServices } from '../match-services.ts'
import { openBrowser } from '../open-browser.ts'
import { durationOption } from '../option-values.ts'
import { describeService, isReady, isTroubled } from '../output/service-words.ts'
import { askForUrl, usableUrl } from './url.ts'

export async function open(context: CommandContext, call: Invocation): Promise<number> {
  const { output, env } = context
  const timeoutMs = durationOption(call, 'timeout')
  const { url, service } = await addressOf(context, call.args[0])
  const snapshot = await untilDecided(context, service, timeoutMs)
  refuseUnusable(context, snapshot)
  if (await openBrowser(url, env)) output.note(`Opened ${output.side.style.cyan(url)}`)
  else output.print(url)
  return exitCodes.ok
}

async function addressOf(
  context: CommandContext,
  named: string | undefined,
): Promise<{ readonly url: string; readonly service: string }> {
  const url = usableUrl(await askForUrl(context, named), named)
  if (named !== undefined) return { url, service: named }
  const status = await context.client().status(context.selector)
  const services = 'services' in status ? status.services : []
  return { url, service: services.find((each) => each.url === url)?.name ?? '' }
}

/** Idle is as good as healthy: the browser's request starts it. */
function isDecided(snapshot: ServiceSnapshot): boolean {
  return isReady(snapshot) || isTroubled(snapshot) || ['idle', 'stopped', 'completed'].includes(snapshot.state)
}

/** Waits for a service, or an instance of it, to be able to answer, or to be known not to be. */
async function untilDecided(
  { selector, client }: CommandContext,
  name: string,
  timeoutMs: number | undefined,
): Promise<ServiceSnapshot> {
  const first = await client().status(selector)
  if (!('services' in first)) throw new LocaldError('project_unknown', 'There is no project here')
  const ending = new AbortController()
  using limit = timeLimit(timeoutMs ?? Infinity, ending.signal)
  let projects: readonly ProjectStatus[] = [first]
  const look = (): ServiceSnapshot => {
    const [snapshot] = matchServices(projects.find(({ id }) => id === first.id) ?? first, [name])
    if (snapshot === undefined) throw new LocaldError('service_unknown', `There is no service "${name}"`)
    return snapshot
  }
  if (isDecided(look())) return look()
  for await (const event of client().events(selector, { signal: limit.signal })) {
    projects = event.type === 'snapshot' ? event.projects : projectEvent(projects, event)
    if (isDecided(look())) break
  }
  ending.abort()
  return look()
}

function refuseUnusable({ now }: CommandContext, snapshot: ServiceSnapshot): void {
  if (isReady(snapshot) || snapshot.state === 'idle') return
  const { name, state } = snapshot
  const hint =
    state === 'stopped' || state === 'completed' ? `Start it: locald up ${name}` : `Find out more: locald why ${name}`
  throw new LocaldError('not_running', `Cannot open "${name}", which is ${describeService(snapshot, now())}`, { hint })
}
