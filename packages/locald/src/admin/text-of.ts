import { readFileSync } from 'node:fs'

/** The text of a file of the system; null when it is not there or not for us to read. */
export function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The same for those who ask: nothing to go by.
    return null
  }
}
