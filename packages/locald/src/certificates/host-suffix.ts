// Host names, and the suffixes that a CA is limited to.
import { isHostName } from '../lib/host-name.ts'

/** Endings that nobody can own on the internet: one CA for all names below. */
const privateEndings: ReadonlySet<string> = new Set([
  'localhost', 'test', 'example', 'invalid', 'internal', 'local', 'localdomain', 'lan', 'home', 'corp', 'private', 'intranet',
]) // prettier-ignore
/** https://www.rfc-editor.org/rfc/rfc8375 */
const homeNetworks = 'home.arpa'

/** Lower case, without the dot at its end; null when it is no name that a certificate could be for (an address is none). */
export function normalHost(name: string): string | null {
  const host = name.toLowerCase().replace(/\.$/u, '')
  return isHostName(host) ? host : null
}

/** The same for `*.shop.test`, which a certificate can be for as well; clients refuse one for `*.test`. */
export function normalCertifiedName(name: string): string | null {
  if (!name.startsWith('*.')) return normalHost(name)
  const above = normalHost(name.slice(2))
  return above === null || !above.includes('.') ? null : `*.${above}`
}

/** Whether a CA that is limited to `suffix` may issue for `host`; both normal. */
export function isBelow(host: string, suffix: string): boolean {
  return host === suffix || host.endsWith(`.${suffix}`)
}

/**
 * What a CA for a project's domain is limited to: its ending when that is private (`shop.localhost`: `localhost`), else the
 * domain itself (`shop.example.com`), so that the CA cannot speak for the rest of a domain that exists.
 */
export function suffixFor(domain: string): string {
  const ending = domain.slice(domain.lastIndexOf('.') + 1)
  if (isBelow(domain, homeNetworks)) return homeNetworks
  return privateEndings.has(ending) ? ending : domain
}

/** What CAs have to cover for all these names, wildcards among them, and for every project that has no domain of its own. */
export function suffixesFor(hosts: readonly string[]): readonly string[] {
  const names = hosts.map((host) => normalHost(host.replace(/^\*\./u, ''))).filter((host) => host !== null)
  return widest(['localhost', ...names.map(suffixFor)])
}

/** Without those that another one covers; sorted. */
export function widest(suffixes: readonly string[]): readonly string[] {
  const all = [...new Set(suffixes)]
  return all.filter((suffix) => !all.some((other) => other !== suffix && isBelow(suffix, other))).sort()
}
