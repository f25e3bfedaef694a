import { closeSync, readSync, writeSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { openPipe } from './native.ts'
import { ReadablePoll } from './readable-poll.ts'

/** A pipe, and what is read of it whenever the poll says that it can be. */
function watchedPipe(poll: ReadablePoll): { read: number; write: number; next: () => Promise<string> } {
  const { read, write } = openPipe()
  onTestFinished(() => {
    poll.close()
    closeSync(read)
    closeSync(write)
  })
  const seen: string[] = []
  let wake = (): void => {}
  poll.add(read, () => {
    const buffer = Buffer.alloc(16)
    seen.push(buffer.toString('utf8', 0, readSync(read, buffer)))
    wake()
  })
  const next = async (): Promise<string> => {
    if (seen.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return seen.shift() ?? ''
  }
  return { read, write, next }
}

test('tells each time that there is something to read', async () => {
  const { write, next } = watchedPipe(new ReadablePoll())
  for (const text of ['one', 'two', 'three']) {
    writeSync(write, text)
    expect(await next()).toBe(text)
  }
})

test('takes in descriptors that are added, and forgets those that are removed, while it waits', async () => {
  const poll = new ReadablePoll()
  const first = watchedPipe(poll)
  const second = watchedPipe(poll)
  writeSync(second.write, 'b')
  expect(await second.next()).toBe('b')
  poll.remove(second.read)
  writeSync(second.write, 'unseen')
  writeSync(first.write, 'a')
  expect(await first.next()).toBe('a')
  const buffer = Buffer.alloc(16)
  expect(buffer.toString('utf8', 0, readSync(second.read, buffer))).toBe('unseen')
})

test('goes on when one who is told throws', async () => {
  const poll = new ReadablePoll()
  const { write, next } = watchedPipe(poll)
  const broken = openPipe()
  const uncaught = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const errors: string[] = []
  process.on('uncaughtException', (error) => errors.push(error.message))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of uncaught) process.on('uncaughtException', listener)
    closeSync(broken.read)
    closeSync(broken.write)
  })
  poll.add(broken.read, () => {
    poll.remove(broken.read)
    throw new Error('broken')
  })
  writeSync(broken.write, 'x')
  while (errors.length === 0) await new Promise(setImmediate)
  writeSync(write, 'still here')
  expect(await next()).toBe('still here')
  expect(errors).toEqual(['broken'])
})

test('a descriptor that is closed without being removed does not keep it busy', async () => {
  const poll = new ReadablePoll()
  const { write, next } = watchedPipe(poll)
  const gone = openPipe()
  poll.add(gone.read, () => expect.unreachable())
  closeSync(gone.read)
  closeSync(gone.write)
  writeSync(write, 'on')
  expect(await next()).toBe('on')
})
