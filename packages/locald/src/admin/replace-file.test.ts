import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { readSystemFile, replaceFile } from './replace-file.ts'

const top = mkdtempSync(join(tmpdir(), 'locald-replace-'))
let directory = ''
let count = 0
beforeEach(() => {
  directory = join(top, String(count++))
  mkdirSync(directory)
})
afterAll(() => rmSync(top, { recursive: true }))

function newFile(text: string): string {
  const path = join(directory, 'hosts')
  writeFileSync(path, text, 'latin1')
  chmodSync(path, 0o644)
  return path
}

test('a file gets its new bytes and keeps its mode, and nothing else is left', async () => {
  const path = newFile('\xff old\r\n')
  chmodSync(path, 0o664)
  const version = await readSystemFile(path)
  await replaceFile(version, `${version.text}\xfe new`)
  expect(readFileSync(path, 'latin1')).toBe('\xff old\r\n\xfe new')
  expect(statSync(path).mode & 0o7777).toBe(0o664)
  expect(readdirSync(directory)).toEqual(['hosts'])
})

test('a symbolic link stays one, and what it leads to is replaced', async () => {
  const path = newFile('old')
  const link = join(directory, 'link')
  symlinkSync('hosts', link)
  await replaceFile(await readSystemFile(link), 'new')
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(readFileSync(path, 'utf8')).toBe('new')
})

test('a file with two names keeps both', async () => {
  const path = newFile('old text')
  linkSync(path, join(directory, 'other'))
  await replaceFile(await readSystemFile(path), 'new')
  expect(readFileSync(join(directory, 'other'), 'utf8')).toBe('new')
  expect(statSync(path).nlink).toBe(2)
})

test('what somebody else wrote meanwhile is not lost', async () => {
  const path = newFile('old')
  const version = await readSystemFile(path)
  writeFileSync(path, 'theirs')
  await expect(replaceFile(version, 'new')).rejects.toMatchObject({
    code: 'setup_failed',
    hint: 'Run the command again',
  })
  expect(readFileSync(path, 'utf8')).toBe('theirs')
  expect(readdirSync(directory)).toEqual(['hosts'])
})

test('a file that is not there is said to be missing', async () => {
  await expect(readSystemFile(join(directory, 'none'))).rejects.toMatchObject({
    code: 'setup_failed',
    message: `Cannot read "${join(directory, 'none')}": ENOENT: no such file or directory`,
  })
})

const asRoot = process.getuid?.() === 0 ? test : () => undefined

asRoot('the owner stays', async () => {
  const path = newFile('old')
  spawnSync('chown', ['12:34', path])
  await replaceFile(await readSystemFile(path), 'new')
  expect(statSync(path)).toMatchObject({ uid: 12, gid: 34 })
})
