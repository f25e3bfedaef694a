// Which suffixes may lead to this machine with every name below them: those that nobody can own on the internet.
import { suffixFor } from '../certificates/host-suffix.ts'
import { isPublicName, isSuffix } from './writable-name.ts'

export type SuffixVerdict =
  | { readonly isGood: true; readonly warning: string | null }
  | { readonly isGood: false; readonly reason: string; readonly hint: string }

/** `suffix` is in lower case, without a dot or a star before it. */
export function judgeSuffix(suffix: string): SuffixVerdict {
  if (!isSuffix(suffix) || suffix === 'localhost') {
    return {
      isGood: false,
      reason: `Cannot use "${suffix}" as a suffix of names`,
      hint: 'For example: locald admin setup --dns test; names below localhost need no DNS',
    }
  }
  if (isPublicName(suffix)) {
    return {
      isGood: false,
      reason: `Cannot lead every name below "${suffix}" to this machine: others own names there, and none of them could be reached any more`,
      hint: 'Write just the names that you need to the hosts file: locald admin sync-hosts NAME…; or take a suffix that nobody can own, such as "test"',
    }
  }
  const warning =
    suffixFor(suffix) === 'local'
      ? `names below "${suffix}" are those of printers and other devices nearby (mDNS): they may not be found any more`
      : null
  return { isGood: true, warning }
}

/** The suffix to ask for when this name is not found; null when somebody may own what it is below. */
export function ownSuffixOf(host: string): string | null {
  const suffix = suffixFor(host)
  return judgeSuffix(suffix).isGood ? suffix : null
}
