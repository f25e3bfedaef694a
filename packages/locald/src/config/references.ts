// References in values: `${services.db.url}` and `${env.NAME}`, each with an optional `:-default`. Resolved by the plan; here
// they are only found and checked.

/** What a sibling offers. */
export const serviceProperties = ['url', 'host', 'port'] as const
export type ServiceProperty = (typeof serviceProperties)[number]

export type Reference =
  | { readonly kind: 'service'; readonly service: string; readonly property: string }
  | { readonly kind: 'env'; readonly name: string }
  /** Has a dot, so that no shell knows it either. */
  | { readonly kind: 'unknown' }

export interface FoundReference {
  readonly reference: Reference
  /** With `${` and `}`. */
  readonly text: string
  readonly start: number
  readonly end: number
  /** After `:-`; may hold references. */
  readonly fallback?: string
}

const opening = /\$\{([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+)(:-|\})/g

/** References from left to right, those in defaults not included. `$NAME` and `${NAME}` are the shell's and none. */
export function findReferences(text: string): readonly FoundReference[] {
  const found: FoundReference[] = []
  let at = 0
  for (;;) {
    opening.lastIndex = at
    const match = opening.exec(text)
    if (match === null) return found
    at = match.index + match[0].length
    const reference = referenceOf(match[1] ?? '')
    if (match[2] === '}') {
      found.push({ reference, text: match[0], start: match.index, end: at })
      continue
    }
    const close = closingBrace(text, at)
    if (close === undefined) continue
    const fallback = text.slice(at, close)
    found.push({ reference, text: text.slice(match.index, close + 1), start: match.index, end: close + 1, fallback })
    at = close + 1
  }
}

function referenceOf(path: string): Reference {
  const [scope, ...rest] = path.split('.')
  if (scope === 'env') return { kind: 'env', name: rest.join('.') }
  const property = rest.at(-1)
  if (scope !== 'services' || property === undefined || rest.length < 2) return { kind: 'unknown' }
  return { kind: 'service', service: rest.slice(0, -1).join('.'), property }
}

/** Where the brace closes whose content starts at `from`; defaults may hold references with defaults. */
export function closingBrace(text: string, from: number): number | undefined {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  return undefined
}
