import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogFixture } from './log-fixture.ts'
import { runTail } from './run-tail.ts'

let fixture: LogFixture
beforeEach(async () => {
  fixture = await LogFixture.create()
})
afterEach(async () => await fixture[Symbol.asyncDispose]())

function record(type: string, run: number, at: number): void {
  const bytes = Buffer.from(JSON.stringify({ type }))
  fixture.writer('web').append({ kind: 'record', stream: 'none', run, at, bytes })
}

async function tail(run: number): ReturnType<typeof runTail> {
  await fixture.writer('web').flush()
  return await runTail(fixture.source('web').directory, run)
}

test('runTail() knows nothing of a run without records, and of a log that is not there', async () => {
  expect(await runTail('/nowhere', 1)).toEqual({ hasStarted: false, hasExited: false, last: {} })
  await fixture.output('web', 'a\n', { at: 1000, run: 1 })
  expect(await tail(2)).toEqual({ hasStarted: false, hasExited: false, last: {} })
})

test('runTail() tells the time of the last chunk of each stream, exactly', async () => {
  record('run.started', 1, 900)
  await fixture.output('web', 'old\n', { at: 950, run: 1, stream: 'stdout' })
  record('run.exited', 1, 960)
  record('run.started', 2, 1000)
  await fixture.output('web', 'a\n', { at: 1000.130795, run: 2, stream: 'stdout' })
  await fixture.output('web', 'b\n', { at: 1000.2, run: 2, stream: 'stderr' })
  await fixture.output('web', 'c\n', { at: 1010.7, run: 2, stream: 'stdout' })
  expect(await tail(2)).toEqual({ hasStarted: true, hasExited: false, last: { stdout: 1010.7, stderr: 1000.2 } })
  expect(await tail(1)).toMatchObject({ hasStarted: true, hasExited: true })
})

test('runTail() reads no more of a long log than it has to', async () => {
  record('run.started', 1, 0)
  const line = `${'x'.repeat(1000)}\n`
  for (let at = 0; at < 3_000_000; at += 1000) {
    fixture.writer('web').append({ kind: 'output', stream: 'stdout', run: 1, at, bytes: Buffer.from(line) })
    if (at % 100_000 === 0) await fixture.writer('web').flush()
  }
  const { hasStarted, last } = await tail(1)
  expect({ hasStarted, last }).toEqual({ hasStarted: true, last: { stdout: 2_999_000 } })
})
