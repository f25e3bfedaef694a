import { expect, test } from 'vitest'
import { InputSender } from './attach-input.ts'

/** Takes one request after the other, each only when the test lets it go. */
class SlowDaemon {
  readonly requests: { readonly seq: number; readonly text: string; readonly reply: boolean }[] = []
  readonly refused: number[] = []
  readonly errors: unknown[] = []
  #answers: ((taken: boolean | Error) => void)[] = []
  readonly sender = new InputSender({
    send: async ({ seq, data, reply = false }) => {
      this.requests.push({ seq, text: Buffer.from(data, 'base64').toString(), reply })
      const taken = await new Promise<boolean | Error>((resolve) => this.#answers.push(resolve))
      if (taken instanceof Error) throw taken
      return { taken }
    },
    onRefused: () => this.refused.push(this.requests.length),
    onError: (error) => this.errors.push(error),
  })

  async answer(taken: boolean | Error = true): Promise<void> {
    this.#answers.shift()?.(taken)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('InputSender sends one request at a time; what is typed meanwhile goes together', async () => {
  const daemon = new SlowDaemon()
  for (const key of 'abc') daemon.sender.add(Buffer.from(key))
  expect(daemon.requests.map(({ text }) => text)).toEqual(['a'])
  await daemon.answer()
  expect(daemon.requests.map(({ text }) => text)).toEqual(['a', 'bc'])
  daemon.sender.add(Buffer.from('d'))
  const drained = daemon.sender.drained()
  await daemon.answer()
  await daemon.answer()
  await drained
  expect(daemon.requests.map(({ seq, text }) => [seq, text])).toEqual([
    [1, 'a'],
    [2, 'bc'],
    [3, 'd'],
  ])
})

test('InputSender keeps what the terminal says apart from what is typed', async () => {
  const daemon = new SlowDaemon()
  daemon.sender.add(Buffer.from('first'))
  daemon.sender.add(Buffer.from('a'))
  daemon.sender.add(Buffer.from('\x1b[1;1R'), true)
  daemon.sender.add(Buffer.from('b'))
  for (let i = 0; i < 4; i++) await daemon.answer()
  expect(daemon.requests.slice(1).map(({ text, reply }) => [text, reply])).toEqual([
    ['a', false],
    ['\x1b[1;1R', true],
    ['b', false],
  ])
})

test('InputSender cuts what is pasted, and loses nothing of it', async () => {
  const daemon = new SlowDaemon()
  const pasted = Array.from({ length: 40_000 }, (_, index) => `${index};`).join('')
  daemon.sender.add(Buffer.from(pasted))
  for (let i = 0; i < 20; i++) await daemon.answer()
  expect(daemon.requests.length).toBeGreaterThan(2)
  expect(daemon.requests.map(({ text }) => text).join('')).toBe(pasted)
})

test('InputSender tells of input that was not taken, but not of a size', async () => {
  const daemon = new SlowDaemon()
  daemon.sender.add(Buffer.from('a'))
  await daemon.answer(false)
  daemon.sender.add(Buffer.alloc(0))
  await daemon.answer(false)
  expect(daemon.refused).toEqual([1])
})

test('InputSender gives up what waits when a request fails', async () => {
  const daemon = new SlowDaemon()
  daemon.sender.add(Buffer.from('a'))
  daemon.sender.add(Buffer.from('b'))
  await daemon.answer(new Error('gone'))
  expect(daemon.errors).toHaveLength(1)
  expect(daemon.requests).toHaveLength(1)
})
