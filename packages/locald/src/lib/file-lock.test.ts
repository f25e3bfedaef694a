import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readLockNote, tryFileLock } from './file-lock.ts'

test('tryFileLock() gives the lock to one at a time', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lock-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'x.lock')
  const first = tryFileLock(path)
  first?.note('a longer first note')
  first?.note('mine')
  expect(tryFileLock(path)).toBe(null)
  expect(readLockNote(path).trimEnd()).toBe('mine')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  first?.[Symbol.dispose]()
  const second = tryFileLock(path)
  expect(second).not.toBe(null)
  first?.[Symbol.dispose]() // a second time: must not take the lock from its new holder
  expect(tryFileLock(path)).toBe(null)
  second?.[Symbol.dispose]()
})
