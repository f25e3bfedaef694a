// Checks of the machine: Node, limits, directories, clock.
import { statSync } from 'node:fs'
import { covers } from '../../certificates/authority.ts'
import type { Authority } from '../../certificates/authority.ts'
import { isErrno } from '../../lib/errno.ts'
import { shellWord } from '../../lib/shell-text.ts'
import { isOlderVersion } from '../../lib/version-order.ts'
import { textOf } from '../text-of.ts'
import { fault, fine, note, warning } from './verdict.ts'
import type { Verdict } from './verdict.ts'

const oldestNode = '20.19.0'
/** An upgrade to a WebSocket ends the process there. https://github.com/nodejs/node/issues/60336 */
const brokenNode: readonly string[] = ['22.21.0']

export function checkNode(version: string): Verdict {
  if (isOlderVersion(version, oldestNode)) {
    const explanation = `locald needs Node ${oldestNode} or later.`
    return fault(`Node ${version} is too old`, { explanation, fix: 'nvm install --lts' })
  }
  if (brokenNode.includes(version)) {
    const explanation = 'In this version of Node a WebSocket can end the whole process; the next one mends it.'
    return warning(`Node ${version} breaks WebSockets`, { explanation, fix: 'nvm install --lts' })
  }
  return fine(`Node ${version}`)
}

/** Each is private to this user, as far as it is there. */
export function checkDirectories(directories: readonly string[], uid: number): readonly Verdict[] {
  const found = directories.flatMap((directory): readonly Verdict[] => {
    const facts = factsOf(directory)
    const path = shellWord(directory)
    if (facts === null) return []
    if (facts.uid !== uid) {
      const explanation = 'locald keeps keys and sockets there, and uses no directory of somebody else.'
      return [
        fault(`"${directory}" belongs to the user with id ${facts.uid}`, {
          explanation,
          fix: `sudo chown ${uid} ${path}`,
        }),
      ]
    }
    if ((facts.mode & 0o700) !== 0o700) {
      const explanation = 'locald cannot work in it.'
      return [fault(`You may not use "${directory}"`, { explanation, fix: `chmod 700 ${path}` })]
    }
    if ((facts.mode & 0o077) === 0) return []
    const explanation = 'Other users of this machine can look into it.'
    return [warning(`"${directory}" is open to others`, { explanation, fix: `chmod 700 ${path}` })]
  })
  return found.length > 0 ? found : [fine('Its directories are yours alone')]
}

/** `limits` is the text of `/proc/self/limits`. */
export function checkOpenFiles(limits: string | null): readonly Verdict[] {
  const [, soft = '', hard = ''] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits ?? '') ?? []
  if (soft === '') return []
  const [now, most] = [soft, hard].map((value) => (value === 'unlimited' ? Infinity : Number(value)))
  // Node raises its own soft limit to the hard one; what it starts inherits that.
  if (now === undefined || most === undefined || most >= 4096) return [fine(`${hard} open files`)]
  const explanation = 'Dev servers that watch many files, and every connection through the proxy, need open files.'
  return [
    warning(`Only ${hard} files may be open at a time`, { explanation, fix: 'sudo prlimit --pid $$ --nofile=65536' }),
  ]
}

export interface WatchLimits {
  readonly watches: number | null
  readonly instances: number | null
}

export function checkFileWatches({ watches, instances }: WatchLimits): readonly Verdict[] {
  if (watches === null || instances === null) return []
  const explanation =
    'Dev servers and "watch" notice changes by inotify; without a free watch they miss them or end (ENOSPC).'
  if (watches < 65_536) {
    const fix = 'sudo sysctl fs.inotify.max_user_watches=524288'
    return [warning(`Only ${watches} files can be watched`, { explanation, fix })]
  }
  if (instances < 128) {
    const fix = 'sudo sysctl fs.inotify.max_user_instances=512'
    return [warning(`Only ${instances} programs can watch files`, { explanation, fix })]
  }
  return [fine(`${watches} files can be watched, by ${instances} programs`)]
}

const dayMs = 24 * 3_600_000

export type CheckedAuthority = Pick<Authority, 'name' | 'suffixes' | 'notBefore' | 'notAfter'>

/** Whether others cover all that it is for, and do so for longer than `until`: nobody misses it. */
function isReplaced({ suffixes }: CheckedAuthority, all: readonly CheckedAuthority[], until: number): boolean {
  return suffixes.every((suffix) => all.some((other) => other.notAfter > until && covers(other, suffix)))
}

/** A clock that goes wrong makes certificates worthless, and looks like anything but that in a browser. */
export function checkClock(authorities: readonly CheckedAuthority[], now: number): Verdict {
  const early = authorities.find(({ notBefore }) => now < notBefore)
  if (early !== undefined) {
    const explanation = `The authority "${early.name}" was made in the future, so the clock is wrong now or was then.`
    return fault('The clock is behind the certificates', { explanation, fix: 'sudo timedatectl set-ntp true' })
  }
  const expired = authorities.find((one) => now > one.notAfter && !isReplaced(one, authorities, now))
  if (expired !== undefined) {
    const explanation = `The authority "${expired.name}" ended ${new Date(expired.notAfter).toISOString().slice(0, 10)}; browsers refuse what it signed.`
    return fault('A certificate authority has expired', { explanation, fix: 'locald trust' })
  }
  const soon = now + 30 * dayMs
  const ending = authorities.find((one) => one.notAfter < soon && !isReplaced(one, authorities, soon))
  if (ending === undefined) return fine('The clock agrees with the certificates')
  const explanation = `The authority "${ending.name}" ends ${new Date(ending.notAfter).toISOString().slice(0, 10)}.`
  return note('A certificate authority ends soon', { explanation, fix: 'locald trust' })
}

export function numberIn(path: string): number | null {
  const value = Number(textOf(path)?.trim() || Number.NaN)
  return Number.isFinite(value) ? value : null
}

function factsOf(path: string): { readonly uid: number; readonly mode: number } | null {
  try {
    return statSync(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}
