// Which of a run's listeners is the service: pure.
import type { Listener } from '../lib/listener.ts'

/**
 * Ports that development tools open beside the service, often long before it is ready: debuggers (Node 9229, Bun 6499,
 * Java 5005, Python 5678, Go 2345), live reload (35729, Vite 24678), Erlang's port mapper (4369).
 */
const helperPorts: ReadonlySet<number> = new Set([9229, 6499, 5005, 5678, 2345, 35729, 24678, 4369])

/** How long a listener elsewhere must be there before it is taken for the service: the given port may still come. */
export const settleMs = 300
const settleHelperMs = 3000

export interface PortWish {
  /** The port that the service was given; null when it has none. */
  readonly given: number | null
  /** The one chosen before: kept for as long as it is there and nothing better is. */
  readonly current: number | null
  /** Since when the run listens where it does now, and not on the given port; milliseconds. */
  readonly unchangedMs: number
}

export type PortChoice =
  | { readonly type: 'none' }
  /** `ports` starts with the given one. */
  | { readonly type: 'given'; readonly ports: readonly number[] }
  /** `ports` starts with the chosen one; to be believed after `inMs` more of the same (0: now). */
  | { readonly type: 'elsewhere'; readonly ports: readonly number[]; readonly inMs: number }

/**
 * The given port; else the one chosen before; else the lowest that is not known to be a tool's; else the lowest. The lowest,
 * because further ports (metrics, hot reload) are mostly counted up from the first.
 */
export function choosePort(own: readonly Listener[], wish: PortWish): PortChoice {
  const ports = [...new Set(own.map(({ port }) => port))].sort((a, b) => a - b)
  const first = (chosen: number): readonly number[] => [chosen, ...ports.filter((port) => port !== chosen)]
  const { given, current } = wish
  if (given !== null && ports.includes(given)) return { type: 'given', ports: first(given) }
  const service = ports.find((port) => !helperPorts.has(port))
  const isKept = current !== null && ports.includes(current) && (service === undefined || !helperPorts.has(current))
  if (isKept) return { type: 'elsewhere', ports: first(current), inMs: 0 }
  const chosen = service ?? ports[0]
  if (chosen === undefined) return { type: 'none' }
  const neededMs = service === undefined ? settleHelperMs : settleMs
  return { type: 'elsewhere', ports: first(chosen), inMs: Math.max(0, neededMs - wish.unchangedMs) }
}
