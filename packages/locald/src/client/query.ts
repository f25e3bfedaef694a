// Queries of addresses.

/** A list becomes the parameter several times; `undefined` is left out. */
export type Query = Readonly<Record<string, string | number | undefined | readonly string[]>>

/** With its question mark; empty when nothing is asked for. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const item of typeof value === 'object' ? value : [String(value)]) parameters.append(name, item)
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}
