import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LogBound, readEnd, shortenLog } from './bounded-log.ts'

function makePath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'log-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'x.log')
}

test('LogBound keeps a log that is written to for ever small, with what came before beside it', () => {
  const path = makePath()
  const fd = openSync(path, 'a')
  onTestFinished(() => closeSync(fd))
  const bound = new LogBound(path, 1000)
  for (let line = 1; line <= 1000; line++) {
    const text = `${line} ${'x'.repeat(90)}\n`
    writeSync(fd, text)
    bound.added(text.length)
  }
  const [older, newer] = [readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')]
  expect(older.length + newer.length).toBeLessThan(4500)
  const lines = `${older}${newer}`.trimEnd().split('\n').map(Number.parseFloat)
  expect(lines.at(-1)).toBe(1000)
  expect(lines).toEqual(lines.map((_, index) => (lines[0] ?? 0) + index))
})

test('LogBound looks at once at a log that is long already', () => {
  const path = makePath()
  appendFileSync(path, 'x'.repeat(2000))
  new LogBound(path, 1000).added(1)
  expect(readFileSync(path, 'utf8')).toBe('')
})

test('shortenLog() leaves a log as it is when there is no room for the older one', () => {
  const path = makePath()
  appendFileSync(path, 'x'.repeat(2000))
  symlinkSync('/dev/full', `${path}.1`)
  shortenLog(path, 1000)
  expect(readFileSync(path, 'utf8')).toHaveLength(2000)
  expect(existsSync(`${path}.1`)).toBe(false)
})

test('readEnd() reads no more than the end', () => {
  const path = makePath()
  appendFileSync(path, 'begin, and the end')
  expect(readEnd(path, 7)).toBe('the end')
  expect(readEnd(path, 100)).toBe('begin, and the end')
})
