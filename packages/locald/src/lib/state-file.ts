// Files of JSON in which locald remembers something, as a reader meets them: whole, damaged, or of another version.
import { readFileSync, renameSync } from 'node:fs'
import { basename } from 'node:path'
import { isErrno } from './errno.ts'

/** Of what was found damaged, in words for people. */
export type OnDamaged = (message: string, error?: unknown) => void

/**
 * What the file holds; null when there is none. `parse` gives null for what it does not understand: such a file is set aside, so
 * that nobody writes over it, and counts as none.
 */
export function readStateFile<T>(path: string, parse: (value: unknown) => T | null, onDamaged: OnDamaged): T | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) setAside(path, onDamaged, error)
    return null
  }
  try {
    const parsed = parse(JSON.parse(text))
    if (parsed !== null) return parsed
    setAside(path, onDamaged)
  } catch (error) {
    setAside(path, onDamaged, error)
  }
  return null
}

function setAside(path: string, onDamaged: OnDamaged, error?: unknown): void {
  const name = basename(path)
  const aside = `${path}.damaged-${Date.now()}`
  try {
    renameSync(path, aside)
    onDamaged(`"${name}" was damaged, or is of another version; it is kept in ${aside}`, error)
  } catch (refusal) {
    onDamaged(`"${name}" is damaged, or of another version, and cannot be set aside`, refusal)
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
