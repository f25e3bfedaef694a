import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownDirectory } from './own-directory.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'locald-private-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('ownDirectory()', () => {
  it('makes it and its parents for this user alone', () => {
    ownDirectory(join(root, 'a', 'b'))
    expect([modeOf(join(root, 'a')), modeOf(join(root, 'a', 'b'))]).toEqual([0o700, 0o700])
  })

  it('takes access to one that is there away from everybody else', () => {
    chmodSync(root, 0o755)
    ownDirectory(root)
    expect(modeOf(root)).toBe(0o700)
  })

  it.each(['/proc/locald/state', '/proc/self/locald'])('refuses %s, where the system lets nobody make one', (path) => {
    expect(() => ownDirectory(path)).toThrow(expect.objectContaining({ code: 'directory_refused' }))
  })

  it('refuses a place where a file is', () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    expect(() => ownDirectory(file)).toThrow(expect.objectContaining({ code: 'directory_refused' }))
  })
})
