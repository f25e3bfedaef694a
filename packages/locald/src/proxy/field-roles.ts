// What the proxy does with a header field, by its name.

/** `keep`: it is passed on as it came. `drop`: it is not. The others are understood, and written anew where they belong. */
export type FieldRole =
  | 'keep'
  | 'drop'
  | 'host'
  | 'content-length'
  | 'transfer-encoding'
  | 'connection'
  | 'keep-alive'
  | 'te'
  | 'upgrade'
  | 'hops'
  | 'content-type'
  | 'accept-key'

/** The roles of names as they are written; null for what is no name at all. */
export type RoleOf = (name: string) => FieldRole | null

/** How often a request has been here: names of services, in order. Ours, and only between the proxy and itself. */
export const hopsField = 'x-locald-hops'

const hopByHop: readonly (readonly [string, FieldRole])[] = [
  ['connection', 'connection'],
  ['content-length', 'content-length'],
  ['transfer-encoding', 'transfer-encoding'],
  ['keep-alive', 'keep-alive'],
  ['upgrade', 'upgrade'],
  ['te', 'te'],
  ['trailer', 'drop'],
  ['proxy-connection', 'drop'],
  ['proxy-authenticate', 'drop'],
  ['proxy-authorization', 'drop'],
  ['http2-settings', 'drop'],
]
/** What a client says about its own way here is not believed; programs that turn "-" into "_" must not be fooled either. */
const claimed = /^(?:x-forwarded-|x-locald-|forwarded$)/u

export const requestRole = cachedRoles(
  new Map<string, FieldRole>([...hopByHop, ['host', 'host'], [hopsField, 'hops'], ['keep-alive', 'drop']]),
  (lower) => (claimed.test(lower.replaceAll('_', '-')) ? 'drop' : 'keep'),
)

export const responseRole = cachedRoles(
  new Map<string, FieldRole>([
    ...hopByHop,
    ['te', 'drop'],
    ['alt-svc', 'drop'],
    ['content-type', 'content-type'],
    ['sec-websocket-accept', 'accept-key'],
  ]),
  () => 'keep',
)

/** Of what may come after a body: nothing that says how a message is framed, sent or who it is for. */
const neverTrailer =
  /^(?:connection|content-(?:length|encoding|type|range)|transfer-encoding|keep-alive|upgrade|te|trailer|host|authorization|cookie|set-cookie|proxy-.*|http2-settings|forwarded|x-forwarded-.*|x-locald-.*)$/u

/** Whether a trailer field is passed on. */
export function isTrailer(name: string): boolean {
  return !neverTrailer.test(name.toLowerCase().replaceAll('_', '-'))
}

/** As of RFC 9110: what a field name or a method may be made of. */
export const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/u

const mostCached = 2000

/** Names come again and again; what they are is found out once. */
function cachedRoles(known: ReadonlyMap<string, FieldRole>, other: (lower: string) => FieldRole): RoleOf {
  const cache = new Map<string, FieldRole>()
  return (name) => {
    const cached = cache.get(name)
    if (cached !== undefined) return cached
    if (!token.test(name)) return null
    const lower = name.toLowerCase()
    const role = known.get(lower) ?? other(lower)
    if (cache.size < mostCached && name.length <= 64) cache.set(name, role)
    return role
  }
}
