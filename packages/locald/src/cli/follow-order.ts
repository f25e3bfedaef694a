// Gives an order and shows what comes of it, until it ends or the caller leaves.
import { randomUUID } from 'node:crypto'
import { projectEvent } from '@locald/protocol'
import type {
  EventSnapshot,
  LocaldEvent,
  OrderEnded,
  OrderKind,
  OrderRequest,
  ProjectStatus,
  ServiceSnapshot,
} from '@locald/protocol'
import type { ApiClient } from '../client/api-client.ts'
import type { CommandContext } from './command.ts'
import { LiveArea } from './output/live-area.ts'
import { ChangeLines, redrawMs, renderProgress } from './output/progress.ts'
import type { ProgressView } from './output/progress.ts'
import { labelIn } from './output/service-words.ts'

export interface FollowedOrder {
  readonly request: Omit<OrderRequest, 'order'>
  /** `Starting`; the project's name is added. */
  readonly title: string
  readonly isDone: (snapshot: ServiceSnapshot) => boolean
  /** Ctrl-C, with how many there were: `leave` ends following. `say` puts a line where it is not drawn over. */
  readonly onInterrupt: (count: number, order: string, say: (line: string) => void) => 'leave' | 'stay'
  /** See `ProgressView`. */
  readonly aliveOf?: ProgressView['aliveOf']
  /** Show nothing. Default false. */
  readonly quiet?: boolean
}

export interface OrderResult {
  /** When the order was given, milliseconds since the epoch. */
  readonly givenAt: number
  /** Null when the caller left. */
  readonly ended: OrderEnded | null
  /** The project as it is now. */
  readonly project: ProjectStatus
  /** Those of its instances that the order is about. */
  readonly services: readonly ServiceSnapshot[]
}

/** Rejects with what the daemon refuses the order for. */
export async function followOrder(
  context: CommandContext,
  client: ApiClient,
  followed: FollowedOrder,
): Promise<OrderResult> {
  const request: OrderRequest = { ...followed.request, order: randomUUID() }
  const startedAt = context.now()
  const leave = new AbortController()
  let interrupts = 0
  let say = context.output.note
  using _interrupts = context.onInterrupt(() => {
    interrupts += 1
    if (followed.onInterrupt(interrupts, request.order, (line) => say(line)) === 'leave') leave.abort()
  })

  const answer = await client.order(request)
  let projects: readonly ProjectStatus[] = [answer.status]
  let labels: ReadonlySet<string> | null = null
  let ended: OrderEnded | null = null
  const project = (): ProjectStatus => projects.find(({ id }) => id === answer.status.id) ?? answer.status
  const concerned = (): readonly ServiceSnapshot[] => servicesOf(project(), labels, request.services)

  using display = createDisplay(context, followed, { startedAt, project, concerned })
  say = (line) => display.say(line)
  display.update()
  const events = client.events(context.selector, { after: answer.seq, signal: leave.signal })
  for await (const event of events) {
    if (event.type === 'snapshot') {
      // The daemon lost its journal. It may not know the order any more; the same order twice is one order.
      projects = event.projects
      if (!leave.signal.aborted) await client.order(request)
    } else {
      projects = projectEvent(projects, event)
      if (event.type === 'order.accepted' && event.order === request.order) labels = new Set(event.services)
      if (event.type === 'order.ended' && event.order === request.order) ended = event
    }
    display.update(event)
    if (ended !== null) break
  }
  return { givenAt: startedAt, ended, project: project(), services: concerned() }
}

/** By the labels that the daemon named, or else by the names that were asked for. */
function servicesOf(
  { services }: ProjectStatus,
  labels: ReadonlySet<string> | null,
  names: readonly string[],
): readonly ServiceSnapshot[] {
  if (labels !== null) return services.filter((snapshot) => labels.has(labelIn(services, snapshot)))
  if (names.length === 0) return services
  return services.filter(({ name, instance }) => names.includes(name) || names.includes(`${name}.${instance}`))
}

interface Subject {
  readonly startedAt: number
  readonly project: () => ProjectStatus
  readonly concerned: () => readonly ServiceSnapshot[]
}

interface Display extends Disposable {
  /** Something changed, by this event. */
  update(event?: LocaldEvent | EventSnapshot): void
  /** A line that stays. */
  say(line: string): void
}

function createDisplay(context: CommandContext, followed: FollowedOrder, subject: Subject): Display {
  if (followed.quiet === true) return { update: () => {}, say: context.output.note, [Symbol.dispose]: () => {} }
  return context.output.isLive ? liveDisplay(context, followed, subject) : lineDisplay(context, followed, subject)
}

function liveDisplay({ output, now }: CommandContext, followed: FollowedOrder, subject: Subject): Display {
  const { title, isDone, aliveOf } = followed
  const { side } = output
  const area = new LiveArea(side)
  const lines = (): readonly string[] =>
    renderProgress({
      title: `${title} ${subject.project().project}`,
      services: subject.concerned(),
      isDone,
      ...(aliveOf === undefined ? {} : { aliveOf }),
      startedAt: subject.startedAt,
      now: now(),
      width: side.width() ?? 80,
      height: side.height() ?? 24,
      style: side.style,
    })
  const draw = (): void => area.draw(lines())
  const timer = setInterval(draw, redrawMs)
  return {
    update: draw,
    say: (line) => area.keep(line, lines()),
    [Symbol.dispose]: () => {
      clearInterval(timer)
      area.clear()
    },
  }
}

function lineDisplay({ output, now }: CommandContext, followed: FollowedOrder, subject: Subject): Display {
  const changes = new ChangeLines()
  return {
    update: (event) => {
      const { services } = subject.project()
      for (const snapshot of subject.concerned()) {
        const label = labelIn(services, snapshot)
        if (isFromBefore(event, snapshot, followed)) changes.skip(label, snapshot)
        if (!isAbout(event, snapshot) || !isWorthALine(followed.request.kind, snapshot)) continue
        const line = changes.next(label, snapshot, now())
        if (line !== null) output.note(line)
      }
    },
    say: output.note,
    [Symbol.dispose]: () => {},
  }
}

/** Whether an instance was so before the order had any effect, and stays so as far as it goes. */
function isFromBefore(
  event: LocaldEvent | EventSnapshot | undefined,
  snapshot: ServiceSnapshot,
  { isDone }: FollowedOrder,
): boolean {
  // The answer to an order is newer than the events that led to it; the plan shows the time before them.
  return event === undefined ? isDone(snapshot) : event.type === 'project.planned'
}

function isAbout(event: LocaldEvent | EventSnapshot | undefined, { name, instance }: ServiceSnapshot): boolean {
  if (event === undefined) return false
  if (event.type === 'snapshot') return true
  return 'service' in event && event.service === name && event.instance === instance
}

/** An order that starts something passes through states that last for an instant, or were there before it. */
function isWorthALine(kind: OrderKind, { state, waiting_for: unmet }: ServiceSnapshot): boolean {
  if (state === 'waiting') return unmet.length > 0
  if (state === 'stopped' || state === 'stopping') return kind === 'stop'
  return true
}
