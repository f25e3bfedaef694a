// Compares the numbered lines of services with how far each of their runs says that it counted.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LocaldEvent, LogLine } from '@locald/protocol'
import { countsDirectory } from './unruly-project.ts'

/** How far one run counted. */
export interface Count {
  readonly service: string
  readonly pid: number
  /** The last line that it has certainly written, and the last that it may have. */
  readonly certain: number
  readonly possible: number
}

export interface NumberingReport {
  readonly faults: readonly string[]
  /** The most lines of one run that went down with its keeper, which is no fault. */
  readonly lostWithKeeper: number
}

/** Lines of a run that may go down with its keeper: what waits in a pipe, and what the keeper has read and not written yet. */
const mostLostWithKeeper = 5000

/** Of all runs of the project's numbered services; they have to be over. */
export function readCounts(project: string): readonly Count[] {
  const directory = join(project, countsDirectory)
  if (!existsSync(directory)) return []
  return readdirSync(directory).map((name) => {
    const [service = '', pid] = name.split('.')
    const [certain = 0, possible = 0] = readFileSync(join(directory, name), 'utf8').trim().split(/ +/).map(Number)
    return { service, pid: Number(pid), certain, possible }
  })
}

interface SeenRun {
  pid: number | null
  last: number
  isLost: boolean
}

/**
 * Of each run the lines `n 1`, `n 2`, … have to be there, each once and in order, and as many as it wrote. Every run that
 * counted has to be there.
 */
export function checkNumbering(
  lines: readonly LogLine[],
  counts: readonly Count[],
  { keeperWasLost }: { readonly keeperWasLost: boolean },
): NumberingReport {
  const runs = new Map<string, SeenRun>()
  const faults: string[] = []
  for (const line of lines) {
    const key = `${line.service} run ${line.run}`
    const run = runs.get(key) ?? { pid: null, last: 0, isLost: false }
    runs.set(key, run)
    if (line.stream === 'locald') noteRecord(run, line.text)
    else {
      if (line.text !== `n ${run.last + 1}`) faults.push(`${key}: "${line.text}" where "n ${run.last + 1}" should be`)
      run.last = /^n \d+$/.test(line.text) ? Number(line.text.slice(2)) : run.last + 1
    }
  }
  let lostWithKeeper = 0
  for (const { service, pid, certain, possible } of counts) {
    const [key, run] = [...runs].find(([name, each]) => name.startsWith(`${service} `) && each.pid === pid) ?? []
    const last = run?.last ?? 0
    // Of a run that was only just started its keeper takes along that it was.
    const isLost = run === undefined ? keeperWasLost : run.isLost
    if (isLost) lostWithKeeper = Math.max(lostWithKeeper, certain - last)
    if (isLost && certain - last <= mostLostWithKeeper) continue
    if (run === undefined)
      faults.push(`A run of ${service} (pid ${pid}), which counted to ${certain}, is missing whole`)
    else if (certain > last) faults.push(`${key} ends with "n ${last}", and had written "n ${certain}"`)
    else if (last > possible) faults.push(`${key} ends with "n ${last}", and never wrote more than "n ${possible}"`)
  }
  return { faults: faults.slice(0, 5), lostWithKeeper }
}

/** Each time that a service became healthy has to stand among its lines: once, in its run. */
export function checkHealthRecords(lines: readonly LogLine[], events: readonly LocaldEvent[]): readonly string[] {
  const balance = new Map<string, number>()
  const count = (service: string, run: number, by: 1 | -1): void => {
    const key = `${service} run ${run}`
    balance.set(key, (balance.get(key) ?? 0) + by)
  }
  for (const event of events) if (event.type === 'service.healthy') count(event.service, event.snapshot.run, 1)
  for (const { service, run, stream, text } of lines) {
    if (stream === 'locald' && text.startsWith('healthy (')) count(service, run, -1)
  }
  const wrong = [...balance].filter(([, open]) => open !== 0)
  return wrong.map(
    ([key, open]) => `${key}: ${Math.abs(open)} records of its health ${open > 0 ? 'are missing' : 'too many'}`,
  )
}

function noteRecord(run: SeenRun, text: string): void {
  const pid = /^started with pid (\d+)$/.exec(text)?.[1]
  if (pid !== undefined) run.pid = Number(pid)
  if (text.startsWith('the keeper was lost')) run.isLost = true
}
