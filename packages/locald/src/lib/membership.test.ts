import { expect, test } from 'vitest'
import { membershipOf } from './membership.ts'
import type { ProcessEntry } from './process-source.ts'

const identity = { pid: 100, startTime: 10, marker: 'none', lockLimit: null }

const entry = (pid: number, parent: number, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  parent,
  group: pid,
  session: pid,
  startTime: pid,
  state: 'S',
  alive: true,
  name: 'x',
  ...more,
})

/** A process table of these. */
function reader(...entries: readonly ProcessEntry[]): (pid: number) => ProcessEntry | null {
  return (pid) => entries.find((one) => one.pid === pid) ?? null
}

const keeper = 50
const leader = entry(100, keeper, { startTime: 10 })

test.each([
  ['the leader', 100, reader(entry(keeper, 1), leader), 'member'],
  ['a grandchild', 300, reader(entry(keeper, 1), leader, entry(200, 100), entry(300, 200)), 'member'],
  [
    'a member that has ended and is not reaped',
    200,
    reader(leader, entry(200, 100, { alive: false, state: 'Z' })),
    'member',
  ],
  ['a stranger', 400, reader(entry(1, 0), entry(400, 1)), 'stranger'],
  [
    'a child of the keeper that is not of the run',
    400,
    reader(entry(1, 0), entry(keeper, 1), entry(400, keeper)),
    'stranger',
  ],
  [
    'a process that was given the pid of the leader',
    100,
    reader(entry(1, 0), entry(100, 1, { startTime: 99 })),
    'stranger',
  ],
  ['nobody', 400, reader(), 'gone'],
])('%s', (_, pid, read, is) => {
  expect(membershipOf(pid, identity, { under: keeper, read }).is).toBe(is)
})

test('a parent that ends while its ancestors are read does not make a stranger of its child', () => {
  let isOrphan = false
  const read = (pid: number): ProcessEntry | null => {
    if (pid === 300) return entry(300, isOrphan ? keeper : 200, { session: 100, startTime: 300 })
    if (pid === 200) {
      isOrphan = true
      return null
    }
    return pid === 100 ? leader : entry(pid, 0)
  }
  expect(membershipOf(300, identity, { under: keeper, read }).is).toBe('member')
})
