// Under sudo: does something with the rights of whoever called that, so that what it makes is theirs.
import type { Caller } from './caller.ts'

/**
 * Files that `work` makes belong to the caller, and it can reach no others than they can. The rights are those of the whole
 * process for as long: nothing else may be under way. Without sudo it is simply done.
 */
export async function asCaller<T>({ uid, gid }: Pick<Caller, 'uid' | 'gid'>, work: () => Promise<T>): Promise<T> {
  const { seteuid, setegid, getegid, getgroups, setgroups } = process
  if (process.geteuid?.() !== 0 || uid === 0) return await work()
  if (!seteuid || !setegid || !getegid || !getgroups || !setgroups) return await work()
  const before = { group: getegid(), groups: getgroups() }
  setgroups([gid])
  setegid(gid)
  seteuid(uid)
  try {
    return await work()
  } finally {
    seteuid(0)
    setegid(before.group)
    setgroups(before.groups)
  }
}
