// What is going on while an order is carried out, as lines to draw over each other.
import type { ServiceProcess, ServiceSnapshot } from '@locald/protocol'
import { stripAnsi } from '../../lib/terminal-text.ts'
import { formatDuration } from './durations.ts'
import { describeProgress, isTroubled, labelIn, paintFor } from './service-words.ts'
import type { Style } from './style.ts'
import { padEnd, textWidth, truncate } from './text-width.ts'

export interface ProgressView {
  /** `Starting shop`. */
  readonly title: string
  /** Those that the order is about. */
  readonly services: readonly ServiceSnapshot[]
  /** Whether an instance is where the order wants it. */
  readonly isDone: (snapshot: ServiceSnapshot) => boolean
  /** Who is alive of an instance that is ending, by label; null where that is not known. */
  readonly aliveOf?: (label: string) => AliveProcesses | null
  /** Milliseconds since the epoch: when the order was given, and now. */
  readonly startedAt: number
  readonly now: number
  /** Columns and rows there are. */
  readonly width: number
  readonly height: number
  readonly style: Style
}

/** The processes that keep an instance from being stopped. */
export interface AliveProcesses {
  /** Since when it has been ending, milliseconds since the epoch. */
  readonly since: number
  readonly processes: readonly ServiceProcess[]
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Of one instance in one line. */
const processesNamed = 5
const commandWidth = 60

/** Characters of the id of a container, as its engine shows it. */
const shortIdLength = 12

/** Milliseconds between two drawings in which nothing but the time changed. */
export const redrawMs = 120

/** A head with counts and time, then a line for each service; what does not fit the height is counted. */
export function renderProgress(view: ProgressView): readonly string[] {
  const { services, isDone, startedAt, now, width, height, style } = view
  const done = services.filter(isDone).length
  const counts = `  ${done}/${services.length}  ${formatDuration(now - startedAt)}`
  const head = `${truncate(view.title, Math.max(1, width - textWidth(counts)))}${counts}`
  const room = Math.max(1, height - 2)
  // Those that are done have the least to tell.
  const order = [...services].sort((a, b) => Number(isDone(a)) - Number(isDone(b)))
  const shown = new Set(order.length > room ? order.slice(0, room - 1) : order)
  const labels = services.map((snapshot) => labelIn(services, snapshot))
  // What a service does has to be seen beside the longest name.
  const labelWidth = Math.min(Math.floor(width / 2), Math.max(0, ...labels.map(textWidth)))
  const lines = services.flatMap((snapshot, index) =>
    shown.has(snapshot) ? [serviceLine(view, snapshot, labels[index] ?? '', labelWidth)] : [],
  )
  const hidden = services.length - shown.size
  return [
    style.bold(truncate(head, width)),
    ...lines,
    ...(hidden > 0 ? [style.dim(truncate(`  and ${hidden} more`, width))] : []),
  ]
}

function serviceLine(view: ProgressView, snapshot: ServiceSnapshot, name: string, labelWidth: number): string {
  const { now, width, style, isDone } = view
  const label = padEnd(truncate(name, labelWidth), labelWidth)
  const alive = snapshot.state === 'stopping' ? (view.aliveOf?.(name) ?? null) : null
  const mark = isTroubled(snapshot) ? '✗' : isDone(snapshot) ? '✓' : isMoving(snapshot) ? frameAt(now) : '·'
  const since = alive?.since ?? (snapshot.state === 'starting' ? startOf(snapshot) : null)
  const time = since === null || !isMoving(snapshot) ? '' : `  ${formatDuration(now - since)}`
  const processes = alive === null ? '' : `  ${describeProcesses(alive.processes)}`
  // Cut before painting: codes must stay whole.
  const rest = truncate(`${describeProgress(snapshot, now)}${time}${processes}`, width - textWidth(label) - 4)
  const paint = isDone(snapshot) ? style.green : paintFor(snapshot, style)
  return `${paint(mark)} ${label}${rest === '' ? '' : `  ${snapshot.state === 'waiting' ? style.dim(rest) : rest}`}`
}

function startOf({ started_at: startedAt }: ServiceSnapshot): number | null {
  return startedAt === null ? null : Date.parse(startedAt)
}

/** `pid 123 (node server.js), pid 124 (sleep 100)`, `container locald-shop-db-1a2b3c (0123456789ab)`; of many the first. */
export function describeProcesses(processes: readonly ServiceProcess[]): string {
  const named = processes.slice(0, processesNamed).map(({ pid, command, container }) => {
    const line = truncate(stripAnsi(command).replaceAll(/\s+/g, ' '), commandWidth)
    if (container === undefined) return `pid ${pid} (${line})`
    return `${line} (${container.slice(0, shortIdLength)})`
  })
  const more = processes.length - named.length
  return [...named, ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

function isMoving({ state, health }: ServiceSnapshot): boolean {
  return (state === 'starting' && health.status !== 'unhealthy') || state === 'stopping'
}

function frameAt(now: number): string {
  return spinner[Math.floor(now / redrawMs) % spinner.length] ?? '·'
}

/** What a pipe gets instead: a line for each change that is worth one. */
export class ChangeLines {
  readonly #last = new Map<string, string>()

  /** Takes note of how an instance is, without a line. */
  skip(label: string, snapshot: ServiceSnapshot): void {
    this.#last.set(label, keyOf(snapshot))
  }

  /** The line for what this instance does now; null when the last line says it already. */
  next(label: string, snapshot: ServiceSnapshot, now: number): string | null {
    const key = keyOf(snapshot)
    if (this.#last.get(label) === key) return null
    this.#last.set(label, key)
    return `${label} ${describeProgress(snapshot, now)}`
  }
}

/** A running clock or another probe's words are no change. */
function keyOf({ state, health, run, waiting_for: unmet, input_wanted: command = '' }: ServiceSnapshot): string {
  return [state, health.status, run, command, ...unmet.map(({ service }) => service)].join(' ')
}
