// What is wrong with a host name that somebody wrote.
import { domainToASCII } from 'node:url'
import { isHostName, isOwnHost, isWildcard, ownHost } from '../lib/host-name.ts'
import type { Fault } from './source-text.ts'

/** Undefined when it can be used. `isWildcardGood`: `*.shop.test` may stand for all names below one. */
export function hostNameFault(
  written: string,
  { isWildcardGood }: { readonly isWildcardGood: boolean },
): Fault | undefined {
  if (isOwnHost(written)) {
    return {
      code: 'name-reserved',
      message: `"${written}" belongs to locald itself`,
      hint: `Use another name than ${ownHost}`,
    }
  }
  if (isHostName(written) || (isWildcardGood && isWildcard(written))) return undefined
  const ascii = domainToASCII(written)
  const hint = isHostName(ascii) && ascii !== written.toLowerCase() ? `Write "${ascii}"` : undefined
  const star = isWildcard(written) ? 'A star is for the domains of a service' : undefined
  return {
    code: 'bad-value',
    message: `"${written}" is not a host name`,
    hint: star ?? hint ?? 'Write it without scheme, port and path: shop.localhost',
  }
}
