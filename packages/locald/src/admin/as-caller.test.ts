import { existsSync, mkdtempSync, chmodSync, rmSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asCaller } from './as-caller.ts'

const rootTest = test.runIf(process.getuid?.() === 0)
const nobody = { uid: 65_534, gid: 65_534 }

test('without sudo nothing changes hands', async () => {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  expect(await asCaller(own, async () => await Promise.resolve(process.geteuid?.()))).toBe(own.uid)
})

rootTest('what is made belongs to the caller, who reaches nothing else, and root is root again', async () => {
  // The directory of the tests is closed to others.
  const open = mkdtempSync('/tmp/as-caller-')
  try {
    const closed = join(open, 'closed')
    await mkdir(closed, { mode: 0o700 })
    chmodSync(open, 0o777)
    const groups = process.getgroups?.()
    await asCaller(nobody, async () => await writeFile(join(open, 'theirs'), ''))
    expect(statSync(join(open, 'theirs'))).toMatchObject(nobody)
    const reach = asCaller(nobody, async () => await writeFile(join(closed, 'file'), ''))
    await expect(reach).rejects.toMatchObject({ code: 'EACCES' })
    expect([process.geteuid?.(), process.getegid?.(), process.getgroups?.()]).toEqual([0, 0, groups])
    await writeFile(join(closed, 'file'), '')
    expect(existsSync(join(closed, 'file'))).toBe(true)
  } finally {
    rmSync(open, { recursive: true })
  }
})
