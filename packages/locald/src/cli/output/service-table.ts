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

/** Lines: the table, then a remark for each service of which the columns do not say enough. */
export function renderServices(
  services: readonly ServiceSnapshot[],
  options: TableOptions & { readonly now: number },
): readonly string[] {
  const { style, now } = options
  const rows = services.map((snapshot) => {
    const paint = paintFor(snapshot, style)
    const restarts = snapshot.restarts === 0 ? '' : ` (${snapshot.restarts}×)`
    return [
      { text: labelIn(services, snapshot), paint: style.bold },
      { text: `${snapshot.state}${restarts}`, paint },
      { text: snapshot.health.status === 'none' ? '-' : snapshot.health.status, paint },
      { text: snapshot.health.source ?? '-' },
      { text: snapshot.port === null ? '-' : String(snapshot.port) },
      { text: snapshot.pid === null ? '-' : String(snapshot.pid) },
      { text: snapshot.ready_after_ms === null ? '-' : formatDuration(snapshot.ready_after_ms) },
      { text: snapshot.url ?? '-', paint: style.cyan },
    ]
  })
  const remarks = services.flatMap((snapshot) => {
    const label = labelIn(services, snapshot)
    const remark = remarkOn(snapshot, now)
    const lines = remark === null ? [] : [`${style.bold(label)}: ${remark}`]
    return [
      ...lines,
      ...snapshot.warnings.map((warning) => `${style.bold(label)}: ${style.yellow('warning:')} ${warning}`),
    ]
  })
  return [...renderTable(columns, rows, options), ...(remarks.length > 0 ? ['', ...remarks] : [])]
}
