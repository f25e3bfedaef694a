// Hashes that are the same on every machine and in every run. Not for secrets.
import { createHash } from 'node:crypto'

/** What can be hashed: plain data. `undefined` members of an object count as absent. */
export type Hashable =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Hashable[]
  | { readonly [key: string]: Hashable }

/** 64 hexadecimal digits that depend on the value alone, not on the order of its keys. */
export function hashOf(value: Hashable): string {
  return createHash('sha256').update(canonical(value)).digest('hex')
}

/** A whole number from 0 to `limit` - 1 (at most 2^32), evenly spread over the values. */
export function hashBelow(value: Hashable, limit: number): number {
  return Number.parseInt(hashOf(value).slice(0, 8), 16) % limit
}

function canonical(value: Hashable): string {
  return JSON.stringify(value ?? null, (_key, part: unknown) => (isPlainObject(part) ? sorted(part) : part))
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
}
