// The table of services that `status` prints and `up` leaves.
import type { ServiceSnapshot } from '@locald/protocol'
import { formatDuration } from './durations.ts'
import { labelIn, paintFor, remarkOn } from './service-words.ts'
import { renderTable } from './table.ts'
import type { Column, TableOptions } from './table.ts'

const columns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'STATE' },
  { title: 'HEALTH' },
  { title: 'SOURCE', spare: 3 },
  { title: 'PORT', align: 'right' },
  { title: 'PID', align: 'right', spare: 5 },
  { title: 'READY', align: 'right', spare: 4 },
  { title: 'URL', spare: 2 },
]

export interface ServiceTableOptions extends TableOptions {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Of whom something else tells already what the columns do not say. Default nobody. */
  readonly isReported?: (snapshot: ServiceSnapshot) => boolean
}

/** Lines: the table, then a remark for each service of which the columns do not say enough. */
export function renderServices(services: readonly ServiceSnapshot[], options: ServiceTableOptions): readonly string[] {
  const { style, now, isReported } = options
  if (services.length === 0) return ['No services are defined']
  const rows = services.map((snapshot) => {
    const paint = paintFor(snapshot, style)
    // What is stopped was started anew, or ready, in a life that is over.
    const isStopped = snapshot.state === 'stopped'
    const restarts = snapshot.restarts === 0 || isStopped ? '' : ` (${snapshot.restarts}×)`
    const readyAfterMs = isStopped ? null : snapshot.ready_after_ms
    return [
      { text: labelIn(services, snapshot), paint: style.bold },
      { text: `${snapshot.state}${restarts}`, paint },
      { text: snapshot.health.status === 'none' ? '-' : snapshot.health.status, paint },
      { text: snapshot.health.source ?? '-' },
      { text: snapshot.port === null ? '-' : String(snapshot.port) },
      { text: snapshot.pid === null ? '-' : String(snapshot.pid) },
      { text: readyAfterMs === null ? '-' : formatDuration(readyAfterMs) },
      { text: snapshot.url ?? '-', paint: style.cyan },
    ]
  })
  const remarks = services.flatMap((snapshot) => {
    const label = labelIn(services, snapshot)
    const remark = isReported?.(snapshot) === true ? null : remarkOn(snapshot, now)
    const lines = remark === null ? [] : [`${style.bold(label)}: ${remark}`]
    return [
      ...lines,
      ...snapshot.warnings.map((warning) => `${style.bold(label)}: ${style.yellow('warning:')} ${warning}`),
    ]
  })
  return [...renderTable(columns, rows, options), ...(remarks.length > 0 ? ['', ...remarks] : [])]
}
