// Which names may be written into files of the system, and which of them belong to somebody on the internet.
import { suffixFor } from '../certificates/host-suffix.ts'
import { isHostName } from '../lib/host-name.ts'

/** A lower-case host name of at least two labels: never one like `localhost`, which the system itself relies on. */
export function isWritableName(name: string): boolean {
  return isHostName(name) && name === name.toLowerCase() && name.includes('.')
}

/** A suffix such as `test` or `dev.example.com`: one label is enough. */
export function isSuffix(name: string): boolean {
  return isWritableName(`x.${name}`)
}

/** Whether somebody may own it: there is no ending for which one CA would do. */
export function isPublicName(name: string): boolean {
  return suffixFor(`x.${name}`) === `x.${name}`
}
