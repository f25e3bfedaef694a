// Which container a process is in, by its control group: the engine's own mark, which everybody may read.
import { readFileSync } from 'node:fs'
import { processEntry, processUsers, readProcesses } from '../lib/process-tree.ts'
import type { Membership } from '../lib/membership.ts'

/** Whether a process is in the container of that id (64 hexadecimal digits, part of the path of its control group). */
export function containerMembershipOf(pid: number, container: string): Membership {
  const entry = processEntry(pid)
  if (entry === null) return { is: 'gone', entry }
  return { is: isIn(pid, container) ? 'member' : 'stranger', entry }
}

/** Users that the processes of a container act for. */
export function usersInContainer(container: string): readonly number[] {
  return [...readProcesses().keys()].filter((pid) => isIn(pid, container)).flatMap((pid) => processUsers(pid))
}

function isIn(pid: number, container: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(container)
  } catch {
    return false // it has ended
  }
}
