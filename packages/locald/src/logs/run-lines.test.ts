import { expect, test } from 'vitest'
import { LogFixture } from './log-fixture.ts'
import { runLines } from './run-lines.ts'

test('runLines() gives the output of one run from its start, and what comes', async () => {
  await using logs = await LogFixture.create()
  await logs.output('web', 'of the run before\n', { run: 1 })
  await logs.output('web', 'already there\n', { run: 2 })
  await logs.record('web', { type: 'health.healthy', source: 'tcp' }, { run: 2 })
  const abort = new AbortController()
  const lines = runLines(logs.source('web'), 2, logs.follow(abort.signal))
  expect((await lines.next()).value).toBe('already there')
  const next = lines.next()
  await logs.output('web', 'new\n', { run: 2 })
  expect((await next).value).toBe('new')
  const last = lines.next()
  abort.abort()
  expect((await last).done).toBe(true)
})

test('runLines() waits for a run that has not begun', async () => {
  await using logs = await LogFixture.create()
  const abort = new AbortController()
  const lines = runLines(logs.source('web'), 1, logs.follow(abort.signal))
  const next = lines.next()
  await logs.output('web', 'ready\n')
  expect((await next).value).toBe('ready')
  abort.abort()
  await lines.return()
})

test('runLines() puts a line together that comes in parts', async () => {
  await using logs = await LogFixture.create()
  const abort = new AbortController()
  const lines = runLines(logs.source('web'), 1, logs.follow(abort.signal))
  const part = lines.next()
  await logs.output('web', 'Listening on')
  expect((await part).value).toBe('Listening on')
  const whole = lines.next()
  await logs.output('web', ' port 3000\nnext\n')
  expect((await whole).value).toBe('Listening on port 3000')
  expect((await lines.next()).value).toBe('next')
  abort.abort()
  await lines.return()
})
