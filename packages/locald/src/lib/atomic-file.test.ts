import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeFileAtomic, writeFileAtomicSync } from './atomic-file.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'locald-atomic-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

test('writeFileAtomic() replaces a file, readable by its owner alone, and leaves nothing else behind', async () => {
  const path = join(dir, 'state.json')
  await writeFile(path, 'old', { mode: 0o644 })
  await writeFileAtomic(path, 'new')
  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readdir(dir)).toEqual(['state.json'])
})

test('writeFileAtomic() keeps the old file and cleans up when it fails', async () => {
  const path = join(dir, 'taken')
  await mkdir(join(path, 'full'), { recursive: true })
  await expect(writeFileAtomic(path, 'new')).rejects.toThrow()
  expect(await readdir(dir)).toEqual(['taken'])
})

test('writeFileAtomicSync() does the same in one step', async () => {
  const path = join(dir, 'state.json')
  await writeFile(path, 'old', { mode: 0o644 })
  writeFileAtomicSync(path, 'new')
  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await mkdir(join(dir, 'taken/full'), { recursive: true })
  expect(() => writeFileAtomicSync(join(dir, 'taken'), 'new')).toThrow('EISDIR')
  expect((await readdir(dir)).sort()).toEqual(['state.json', 'taken'])
})
