import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { parseStat } from './linux-processes.ts'
import { parsePsLine } from './macos-processes.ts'
import { commandLineOf, membersByRun, membersOf, readProcesses, startTimeNow, startTimeOf } from './process-tree.ts'
import type { ProcessEntry, ProcessEvidence, ProcessTable } from './process-source.ts'
import type { RunIdentity } from './process-tree.ts'

const keeper = 10
const web: RunIdentity = { pid: 100, startTime: 1000, marker: 'web', lockLimit: 77 }
const db: RunIdentity = { pid: 200, startTime: 1100, marker: 'db', lockLimit: 88 }

function entry(pid: number, parent: number, changes: Partial<ProcessEntry> = {}): ProcessEntry {
  return { pid, parent, group: pid, session: pid, startTime: 2000, state: 'S', alive: true, name: 'x', ...changes }
}

function tableOf(...entries: readonly ProcessEntry[]): ProcessTable {
  return new Map([entry(1, 0, { startTime: 1 }), entry(keeper, 1, { startTime: 5 }), ...entries].map((e) => [e.pid, e]))
}

const leader = entry(100, keeper, { startTime: 1000 })

/** Pids of the members of `web`. */
function pids(
  table: ProcessTable,
  carried: Readonly<Record<number, Partial<ProcessEvidence>>> = {},
  options: { readonly under?: number; readonly except?: number; readonly isProven?: boolean } = {},
): number[] {
  const evidence = (pid: number): ProcessEvidence => ({ marker: null, lockLimit: null, ...carried[pid] })
  return membersOf(web, table, { evidence, ...options }).map(({ pid }) => pid)
}

test('membersOf() finds descendants of the leader in whatever order the table lists them', () => {
  expect(pids(tableOf(entry(102, 101), entry(101, 100), leader, entry(300, keeper)))).toEqual([102, 101, 100])
})

test('membersOf() does not take another process with the pid of the leader for it', () => {
  expect(pids(tableOf(entry(100, keeper, { startTime: 1001 }), entry(101, 100, { session: 100 })))).toEqual([])
})

test('membersOf() finds who stayed in the session of a leader that is gone, and their children', () => {
  expect(pids(tableOf(entry(101, keeper, { session: 100 }), entry(102, 101)))).toEqual([101, 102])
})

test('membersOf() knows that a session outside of the keeper, whose leader is gone, is of strangers who got its pid', () => {
  const table = tableOf(entry(101, 1, { session: 100 }), entry(102, 101), entry(103, keeper, { session: 100 }))
  expect(pids(table, {}, { under: keeper })).toEqual([103])
})

test('membersByRun() believes what a process carries before a session whose leader is gone', () => {
  const table = tableOf(entry(201, keeper, { session: 100 }), entry(101, keeper, { session: 100 }))
  const evidence = (pid: number): ProcessEvidence => ({ marker: null, lockLimit: pid === 201 ? 88 : null })
  const members = membersByRun([web, db], table, { evidence, under: keeper })
  expect(members.get('web')?.map(({ pid }) => pid)).toEqual([101])
  expect(members.get('db')?.map(({ pid }) => pid)).toEqual([201])
})

test('membersOf() leaves out a session older than the run', () => {
  expect(pids(tableOf(entry(101, keeper, { session: 100, startTime: 999 })))).toEqual([])
})

test('membersOf() that wants proof takes nobody for a member by the session of a leader that is gone alone', () => {
  const table = tableOf(
    entry(101, 1, { session: 100 }),
    entry(102, 101, { session: 100 }),
    entry(103, 1, { session: 100 }),
  )
  expect(pids(table, { 103: { lockLimit: 77 } }, { isProven: true })).toEqual([103])
  expect(pids(tableOf(leader, entry(101, 1, { session: 100 })), {}, { isProven: true })).toEqual([100, 101])
})

test('membersOf() leaves out a process that it is told to, and everything below', () => {
  const table = tableOf(leader, entry(101, 100), entry(102, 101), entry(103, 102), entry(104, 100))
  expect(pids(table, { 103: { marker: 'web' } }, { except: 102 })).toEqual([100, 101, 104])
})

test('membersOf() knows by limit and marker alone what was about to be started', () => {
  const planned = { ...web, pid: 0 }
  const table = tableOf(entry(2, 0, { session: 0 }), entry(3, 2, { session: 0 }), entry(101, 1, { session: 0 }))
  const evidence = (pid: number): ProcessEvidence => ({ marker: null, lockLimit: pid === 101 ? 77 : null })
  expect(membersOf(planned, table, { evidence }).map(({ pid }) => pid)).toEqual([101])
})

test('membersOf() finds orphans by limit, else by marker, and their children', () => {
  const table = tableOf(entry(101, keeper), entry(102, 101), entry(103, keeper), entry(104, keeper))
  expect(pids(table, { 101: { lockLimit: 77 }, 103: { marker: 'web' }, 104: { marker: 'db', lockLimit: 88 } })).toEqual(
    [101, 102, 103],
  )
})

test('membersOf() asks only descendants of the given process for what they carry', () => {
  const carried = { 101: { marker: 'web' }, 102: { marker: 'web' }, [keeper]: { marker: 'web' } }
  const table = tableOf(entry(101, keeper), entry(102, 1))
  expect(pids(table, carried, { under: keeper })).toEqual([101])
  expect(pids(table, carried)).toEqual([101, 102])
})

test('membersOf() never counts zombies, but finds the children of a zombie leader', () => {
  expect(pids(tableOf({ ...leader, state: 'Z', alive: false }, entry(101, 100)))).toEqual([101])
})

test('membersOf() ends on a table in which parents go round in a circle', () => {
  expect(pids(tableOf(entry(101, 102), entry(102, 101)))).toEqual([])
})

test('membersByRun() gives each process to one run: a run within a run is its own', () => {
  const table = tableOf(leader, entry(200, 100, { startTime: 1100 }), entry(201, 200), entry(101, 100))
  const members = membersByRun([web, db], table, { evidence: () => ({ marker: null, lockLimit: null }) })
  expect(members.get('web')?.map(({ pid }) => pid)).toEqual([100, 101])
  expect(members.get('db')?.map(({ pid }) => pid)).toEqual([200, 201])
})

test('readProcesses() sees a process of this machine as it is', async () => {
  const child = spawn('sleep', ['600'], { detached: true })
  const pid = child.pid ?? 0
  const seen = readProcesses().get(pid)
  expect(seen).toMatchObject({ parent: process.pid, group: pid, alive: true, startTime: startTimeOf(pid) })
  expect(Math.abs(startTimeNow() - (seen?.startTime ?? 0))).toBeLessThan(1000)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(startTimeOf(pid)).toBe(null)
})

test('commandLineOf() is cut to 200 characters', async () => {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 9999)', 'x'.repeat(500)])
  await once(child.stdout, 'data')
  const seen = readProcesses().get(child.pid ?? 0)
  expect(seen && commandLineOf(seen)).toMatch(/^\S*node -e .* x+$/)
  expect(seen && commandLineOf(seen)).toHaveLength(200)
  child.kill('SIGKILL')
  await once(child, 'exit')
})

test('parseStat() reads a name with spaces and parentheses', () => {
  const line = '42 (a) b (c)) T 7 40 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2'
  expect(parseStat(line)).toEqual({
    pid: 42,
    name: 'a) b (c)',
    state: 'T',
    parent: 7,
    group: 40,
    session: 41,
    startTime: 98765,
    alive: true,
  })
  expect(parseStat('')).toBe(null)
})

test('parsePsLine() reads a line of ps on macOS', () => {
  const line = '  501     1   501 Sun Nov 22 18:41:03 2026     Ss   /System/Library/Some Agent'
  expect(parsePsLine(line)).toMatchObject({ pid: 501, parent: 1, group: 501, state: 'S', name: 'Some Agent' })
  expect(parsePsLine('junk')).toBe(null)
})
