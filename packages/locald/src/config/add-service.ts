// Adds a service to the text of a locald.toml. What is there already stays as it is, comments and all: see
// docs/decisions/0027.
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'smol-toml'
import { tomlKey, tomlString } from './toml-text.ts'

/** Keys that hold a string or a list of strings, in the order in which they are written. */
export type NewService = Readonly<Record<string, string | readonly string[]>>

/**
 * A table at the end, which is valid wherever one can be. Null: the file is no TOML, has a service of that name, or holds
 * its services in a value that nothing can be added to from outside.
 */
export function withService(text: string, name: string, service: NewService): string | null {
  const before = parsed(text)
  const services = before?.['services'] ?? {}
  if (before === null || typeof services !== 'object' || name in services) return null
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const gap = text === '' ? '' : text.endsWith('\n') ? newline : newline + newline
  const table = serviceTable(name, service).join(newline)
  const after = text + gap + table + newline
  const wanted = { ...before, services: { ...services, [name]: service } }
  return isDeepStrictEqual(plain(parsed(after)), plain(wanted)) ? after : null
}

/** The lines of its table. */
export function serviceTable(name: string, service: NewService): readonly string[] {
  const rows = Object.entries(service).map(([key, value]) => {
    const written = typeof value === 'string' ? tomlString(value) : `[${value.map(tomlString).join(', ')}]`
    return `${key} = ${written}`
  })
  return [`[services.${tomlKey(name)}]`, ...rows]
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return parse(text)
  } catch {
    // Whatever is wrong with it is for others to tell.
    return null
  }
}

/** Without the prototypes that a parser gives its tables. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)))
}
