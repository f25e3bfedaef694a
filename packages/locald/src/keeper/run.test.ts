import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { Run } from './run.ts'
import type { LogStreams } from './log-streams.ts'

test('the exit of a run has the time at which the leader was reaped, however long its last output took to be recorded', async () => {
  // As in a keeper: somebody listens before there is a child.
  const listener = (): void => {}
  process.on('SIGCHLD', listener)
  onTestFinished(() => void process.off('SIGCHLD', listener))
  let reapedAt = 0
  let logs = {} as LogStreams
  let flushed = (): void => {}
  const reaped = new Promise<void>((resolve) => {
    const flush = async (): Promise<void> => {
      reapedAt = Date.now()
      resolve()
      await new Promise<void>((done) => (flushed = done))
    }
    logs = { hold() {}, release() {}, output: () => true, record() {}, flush } as unknown as LogStreams
  })
  const told: { readonly type: string; readonly at: number | undefined }[] = []
  let review = (): void => {}
  const reviewed = new Promise<void>((resolve) => (review = resolve))
  const run = Run.start(
    {
      run: 'a',
      tag: {},
      argv: ['/bin/sh', '-c', 'exit 3'],
      cwd: tmpdir(),
      env: {},
      tty: null,
      log: { stream: 'p/a', run: 1, segmentBytes: 1, segments: 1 },
    },
    '/bin/sh',
    { marker: 'a.1', lockLimit: 2 ** 41 },
    { logs, fact: ({ type }, at) => told.push({ type, at }), reviewWithin: () => review(), signalled: () => {} },
  )
  await reaped
  // The clock goes on while the disk is slow.
  while (Date.now() <= reapedAt + 5) await new Promise((resolve) => setImmediate(resolve))
  flushed()
  await reviewed
  run.review([])
  expect(told.map(({ type }) => type)).toEqual(['exited', 'emptied'])
  expect(told[0]?.at).toBeLessThanOrEqual(reapedAt)
  expect(told[0]?.at).toBe(run.info.exited?.at)
})
