// References in configuration values: `${services.db.url}`, `${env.NAME}`, `${NAME}`, each with `:-default`; `$${` is a
// literal `${`. Described in docs/environment.md. Env files have their own, smaller dialect: config/env-file.ts.

const serviceProperties = ['url', 'host', 'port'] as const
export type ServiceProperty = (typeof serviceProperties)[number]

export interface ServiceReference {
  readonly kind: 'service'
  readonly service: string
  /** As written: one of `url`, `host`, `port`, unless it is a fault. */
  readonly property: string
  readonly fallback?: readonly Piece[]
  /** The whole reference as written. */
  readonly source: string
}

export interface VariableReference {
  readonly kind: 'variable'
  readonly name: string
  readonly fallback?: readonly Piece[]
  readonly source: string
}

/** `${locald.ca_bundle}`: something of locald itself. */
export interface OwnReference {
  readonly kind: 'own'
  /** As written: `ca_bundle`, unless it is a fault. */
  readonly property: string
  readonly fallback?: readonly Piece[]
  readonly source: string
}

/** Something in `${…}` that is none of the known forms. */
interface UnreadableReference {
  readonly kind: 'unreadable'
  readonly source: string
}

/** Text as it is, or a reference. */
export type Piece = string | ServiceReference | VariableReference | OwnReference | UnreadableReference

/**
 * How a text is read. `value`: every `${…}` is ours. `shell`: a command that `/bin/sh` runs, of which only
 * `${services.…}`, `${locald.…}` and `${env.…}` are ours; `$NAME`, `${NAME}` and `${NAME:-default}` are left to the shell, which has the
 * service's environment and its own rules for quotes.
 */
export type ReferenceMode = 'value' | 'shell'

export function isServiceProperty(text: string): text is ServiceProperty {
  return serviceProperties.some((property) => property === text)
}

/** Never fails: what cannot be read is a piece of its own. */
export function parseReferences(text: string, mode: ReferenceMode): readonly Piece[] {
  const pieces: Piece[] = []
  let literal = ''
  let at = 0
  const take = (piece: Piece, length: number): void => {
    if (literal !== '') pieces.push(literal)
    literal = ''
    pieces.push(piece)
    at += length
  }
  while (at < text.length) {
    if (text.startsWith('$${', at) && isOurs(text, at + 1, mode)) {
      literal += '${'
      at += 3
    } else if (text.startsWith('${', at) && isOurs(text, at, mode)) {
      const end = closingBrace(text, at + 2)
      const source = text.slice(at, end)
      take(referenceOf(source, mode), source.length)
    } else {
      literal += text.charAt(at++)
    }
  }
  if (literal !== '') pieces.push(literal)
  return pieces
}

function isOurs(text: string, dollarAt: number, mode: ReferenceMode): boolean {
  return mode === 'value' || /^\$\{(?:services|locald|env)\./.test(text.slice(dollarAt, dollarAt + 12))
}

/** Just behind the brace that closes what starts at `from`, or the end of the text. Defaults may hold references. */
function closingBrace(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && --depth === 0) return at + 1
  }
  return text.length
}

const form =
  /^\$\{(?:services\.(?<service>[^:{}]+)\.(?<property>[^.:{}]*)|locald\.(?<own>\w+)|(?:env\.)?(?<name>[\w.]+))(?::-(?<fallback>.*))?\}$/s

function referenceOf(source: string, mode: ReferenceMode): Piece {
  const { service, property, own, name, fallback: fallbackText } = form.exec(source)?.groups ?? {}
  const fallback = fallbackText === undefined ? {} : { fallback: parseReferences(fallbackText, mode) }
  if (service !== undefined && property !== undefined)
    return { kind: 'service', service, property, source, ...fallback }
  if (own !== undefined) return { kind: 'own', property: own, source, ...fallback }
  // "${services.db}" names no property; as a variable it would silently be empty.
  if (name === undefined || /^(?:services|locald|env)(?:\.|$)/.test(name)) return { kind: 'unreadable', source }
  if (mode === 'shell' && !/^[A-Za-z_]\w*$/.test(name)) return { kind: 'unreadable', source }
  return { kind: 'variable', name, source, ...fallback }
}

/** All references of a text, those within defaults included. */
export function referencesIn(pieces: readonly Piece[]): readonly Exclude<Piece, string>[] {
  return pieces.flatMap((piece) => {
    if (typeof piece === 'string') return []
    return piece.kind === 'unreadable' ? [piece] : [piece, ...referencesIn(piece.fallback ?? [])]
  })
}

/** What references stand for. `undefined` means there is no such value; the default counts then, as for an empty one. */
export interface ReferenceValues {
  readonly service: (reference: ServiceReference) => string | undefined
  readonly variable: (name: string) => string | undefined
  /** Path of the file that `${locald.ca_bundle}` stands for. */
  readonly caBundle: string | undefined
}

/**
 * The text with its references replaced; what has neither value nor default becomes empty, what cannot be read stays. In
 * mode `shell` a `${env.NAME}` becomes the shell's own `${NAME}`, so that a value never turns into shell syntax.
 */
export function substitute(text: string, mode: ReferenceMode, values: ReferenceValues): string {
  const render = (pieces: readonly Piece[]): string => pieces.map((piece) => renderPiece(piece)).join('')
  const renderPiece = (piece: Piece): string => {
    if (typeof piece === 'string') return piece
    if (piece.kind === 'unreadable') return piece.source
    const fallback = piece.fallback === undefined ? undefined : render(piece.fallback)
    if (piece.kind === 'variable' && mode === 'shell') {
      return fallback === undefined ? `\${${piece.name}}` : `\${${piece.name}:-${fallback}}`
    }
    const value = valueOf(piece, values)
    // As in a shell, `:-` also replaces an empty value.
    return value === undefined || value === '' ? (fallback ?? '') : value
  }
  return render(parseReferences(text, mode))
}

function valueOf(
  piece: ServiceReference | VariableReference | OwnReference,
  values: ReferenceValues,
): string | undefined {
  if (piece.kind === 'service') return values.service(piece)
  return piece.kind === 'own' ? values.caBundle : values.variable(piece.name)
}
