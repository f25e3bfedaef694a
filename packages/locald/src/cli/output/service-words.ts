// What an instance is doing, in words: the same in progress lines, tables and reports.
import type { ServiceSnapshot } from '@locald/protocol'
import { formatDuration } from './durations.ts'
import type { Style } from './style.ts'

/** The label of each snapshot among its siblings: `web`, or `web.2` where a service has several instances. */
export function labelIn(services: readonly ServiceSnapshot[], snapshot: ServiceSnapshot): string {
  const isReplicated = services.some((other) => other.name === snapshot.name && other.instance > 1)
  return isReplicated ? `${snapshot.name}.${snapshot.instance}` : snapshot.name
}

/** Whether it is where an `up` wants it: nothing more is going to happen by itself. */
export function isReady(snapshot: ServiceSnapshot): boolean {
  if (snapshot.state === 'running') return snapshot.health.status === 'healthy' || snapshot.health.status === 'none'
  return snapshot.state === 'completed' || snapshot.state === 'scheduled' || snapshot.state === 'idle'
}

/** Whether it is failed, or up but unhealthy. */
export function isTroubled(snapshot: ServiceSnapshot): boolean {
  return snapshot.state === 'failed' || snapshot.health.status === 'unhealthy'
}

/** `waiting for db (starting)`, `starting (http)`, `healthy (tcp) after 212ms`, `failed: exited with code 3`. */
export function describeService(snapshot: ServiceSnapshot, now: number): string {
  const { state, reason, exit } = snapshot
  switch (state) {
    case 'waiting':
      return describeWaiting(snapshot)
    case 'starting':
      return describeStarting(snapshot)
    case 'running':
      return describeRunning(snapshot)
    case 'backoff':
      return `${reason ?? exit?.reason ?? 'exited'}, starts again${describeRetry(snapshot, now)}`
    case 'scheduled':
      return describeScheduled(snapshot, now)
    case 'completed':
      return `completed${snapshot.ready_after_ms === null ? '' : ` after ${formatDuration(snapshot.ready_after_ms)}`}`
    case 'idle':
      return 'idle: starts when it is needed'
    case 'failed':
      return `failed${because(reason ?? exit?.reason)}`
    default:
      return state
  }
}

/** As `describeService`, with what somebody has to do for it to go on, which tables show as a warning. */
export function describeProgress(snapshot: ServiceSnapshot, now: number): string {
  const { input_wanted: command } = snapshot
  return `${describeService(snapshot, now)}${command === undefined ? '' : `, waiting for input: ${command}`}`
}

/** What the table's columns do not say about it: why it waits, failed or is unhealthy. Null when they say it all. */
export function remarkOn(snapshot: ServiceSnapshot, now: number): string | null {
  if (['waiting', 'backoff', 'scheduled'].includes(snapshot.state) || isTroubled(snapshot)) {
    return describeService(snapshot, now)
  }
  return null
}

/** Green when all is well, red when it is not, yellow on the way. */
export function paintFor(snapshot: ServiceSnapshot, style: Style): (text: string) => string {
  if (isTroubled(snapshot)) return style.red
  if (isReady(snapshot)) return style.green
  return snapshot.state === 'stopped' ? style.dim : style.yellow
}

function describeWaiting({ waiting_for: unmet }: ServiceSnapshot): string {
  if (unmet.length === 0) return 'waiting'
  // That the other waits as well is seen where the other stands.
  const isTelling = (reason: string): boolean => reason !== '' && reason !== 'waiting'
  return `waiting for ${unmet.map(({ service, reason }) => (isTelling(reason) ? `${service} (${reason})` : service)).join(', ')}`
}

function describeStarting({ type, container, health }: ServiceSnapshot): string {
  if (health.status === 'unhealthy') return describeUnhealthy(health)
  // Before there is a container, its image is being fetched.
  const isFetched = type !== 'container' || container !== undefined
  return isFetched ? `starting${inBrackets(health.source)}` : `starting${because(health.message)}`
}

function describeUnhealthy({ source, message }: ServiceSnapshot['health']): string {
  return `unhealthy${inBrackets(source)}${because(message)}`
}

function describeRunning({ health, ready_after_ms: readyAfterMs }: ServiceSnapshot): string {
  if (health.status === 'unhealthy') return describeUnhealthy(health)
  if (health.status !== 'healthy') return 'running'
  return `healthy${inBrackets(health.source)}${readyAfterMs === null ? '' : ` after ${formatDuration(readyAfterMs)}`}`
}

function describeScheduled({ next_run_at: nextRunAt, reason }: ServiceSnapshot, now: number): string {
  const last = reason === null ? '' : `; the last run failed: ${reason}`
  if (nextRunAt === undefined) return `scheduled${last}`
  const at = new Date(nextRunAt)
  const pad = (number: number): string => String(number).padStart(2, '0')
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`
  const isToday = at.toDateString() === new Date(now).toDateString()
  const day = isToday ? '' : `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} `
  return `scheduled, runs next in ${formatDuration(Math.max(0, at.getTime() - now))} (${day}${time})${last}`
}

function describeRetry({ retry_at: retryAt }: ServiceSnapshot, now: number): string {
  if (retryAt === null) return ''
  const remaining = Date.parse(retryAt) - now
  return remaining > 0 ? ` in ${formatDuration(remaining)}` : ' now'
}

function because(reason: string | null | undefined): string {
  return reason === null || reason === undefined || reason === '' ? '' : `: ${reason}`
}

function inBrackets(source: string | null): string {
  return source === null ? '' : ` (${source})`
}
