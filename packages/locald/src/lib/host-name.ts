// Names of hosts: what one may look like, and how one is made of a name for people.
import { isIPv4 } from 'node:net'

/** Most characters between two dots of a host name. */
export const labelLimit = 63

/** Where locald itself answers; no service is ever called that, or anything below it. */
export const ownHost = 'locald.localhost'

const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const hostName = new RegExp(`^${label}(?:\\.${label})*$`)

/** https://www.rfc-editor.org/rfc/rfc1123#page-13; an address is none. */
export function isHostName(name: string): boolean {
  return name.length <= 253 && hostName.test(name) && !isIPv4(name) && !/(?:^|\.)\d+$/.test(name)
}

/** `*.shop.test`: any name with one label more. */
export function isWildcard(name: string): boolean {
  return name.startsWith('*.') && isHostName(name.slice(2))
}

export function isOwnHost(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === ownHost || lower.endsWith(`.${ownHost}`)
}

/** A name for people as one label of a host name: `My_App` is `my-app`. Empty when no character of it can be part of one. */
export function hostLabel(name: string): string {
  const all = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return all.replaceAll(/^-+/g, '').slice(0, labelLimit).replaceAll(/-+$/g, '')
}
