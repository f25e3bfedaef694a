// Queries of addresses.

/** A list becomes the parameter several times; `undefined` is left out. */
export type Query = Readonly<Record<string, string | number | undefined | readonly string[]>>

/** With its question mark; empty when nothing is asked for. (`URLSearchParams` takes longer for its first than this for all.) */
export function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const items = typeof value === 'object' ? value : value === undefined ? [] : [value]
    return items.map((item) => `${name}=${encodeURIComponent(item)}`)
  })
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
