import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkClock, checkDirectories, checkFileWatches, checkNode, checkOpenFiles } from './system-checks.ts'
import type { CheckedAuthority } from './system-checks.ts'

test('a version of Node that is too old, or breaks WebSockets, is pointed out', () => {
  const severities = ['18.20.0', '20.18.9', '20.19.0', '22.21.0', '22.21.1', '24.1.0'].map(
    (version) => checkNode(version).severity,
  )
  expect(severities).toEqual(['error', 'error', 'ok', 'warning', 'ok', 'ok'])
})

test('directories that others can look into or that are somebody else’s are pointed out', () => {
  const root = mkdtempSync(join(tmpdir(), 'locald-doctor-'))
  const [closed, open, useless] = ['closed', 'open it', 'useless'].map((name) => join(root, name))
  for (const [path, mode] of [
    [closed, 0o700],
    [open, 0o755],
    [useless, 0o000],
  ] as const) {
    mkdirSync(path ?? '')
    chmodSync(path ?? '', mode)
  }
  const uid = process.getuid?.() ?? 0
  expect(checkDirectories([closed ?? '', join(root, 'none')], uid)).toMatchObject([{ severity: 'ok' }])
  expect(checkDirectories([closed ?? '', open ?? '', useless ?? ''], uid)).toMatchObject([
    { severity: 'warning', fix: `chmod 700 '${open}'` },
    { severity: 'error', fix: `chmod 700 ${useless}` },
  ])
  expect(checkDirectories([closed ?? ''], uid + 1)).toMatchObject([
    { severity: 'error', fix: `sudo chown ${uid + 1} ${closed}` },
  ])
  rmSync(root, { recursive: true })
})

test('limits that are too low are pointed out with what raises them', () => {
  const limits = (soft: string, hard: string): string =>
    `Limit  Soft  Hard  Units\nMax open files            ${soft}                 ${hard}              files\n`
  expect(checkOpenFiles(limits('1024', '1024'))).toMatchObject([{ severity: 'warning' }])
  expect(checkOpenFiles(limits('1024', '524288'))).toMatchObject([{ severity: 'ok' }])
  expect(checkOpenFiles(limits('unlimited', 'unlimited'))).toMatchObject([{ severity: 'ok' }])
  expect(checkOpenFiles(null)).toEqual([])
  expect(checkFileWatches({ watches: 8192, instances: 128 })).toMatchObject([
    { severity: 'warning', fix: expect.stringContaining('max_user_watches') },
  ])
  expect(checkFileWatches({ watches: 100_000, instances: 16 })).toMatchObject([
    { fix: expect.stringContaining('max_user_instances') },
  ])
  expect(checkFileWatches({ watches: 100_000, instances: 128 })).toMatchObject([{ severity: 'ok' }])
  expect(checkFileWatches({ watches: null, instances: null })).toEqual([])
})

test('a clock outside of the life of an authority is an error, close to its end a note', () => {
  const day = 24 * 3_600_000
  const authority = { name: 'ours', suffixes: ['localhost'], notBefore: 100 * day, notAfter: 200 * day }
  const severities = [99, 101, 180, 201].map((now) => checkClock([authority], now * day).severity)
  expect(severities).toEqual(['error', 'ok', 'note', 'error'])
  expect(checkClock([], 0).severity).toBe('ok')
  // What has a successor is missed by nobody; one for other names is none.
  const later = { ...authority, name: 'next', notBefore: 150 * day, notAfter: 300 * day }
  const verdicts = (other: CheckedAuthority, ...days: readonly number[]): readonly string[] =>
    days.map((now) => checkClock([authority, other], now * day).severity)
  expect(verdicts(later, 180, 201, 301)).toEqual(['ok', 'ok', 'error'])
  expect(verdicts({ ...later, suffixes: ['test'] }, 180, 201)).toEqual(['note', 'error'])
})
