import { Duplex, PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { JsonLines } from './json-lines.ts'

/** A stream whose reading side is fed by hand and whose writing side is taken by hand. */
function openPair(highWaterMark = 16): {
  readonly stream: Duplex
  readonly input: PassThrough
  readonly output: PassThrough
} {
  const [input, output] = [new PassThrough(), new PassThrough({ highWaterMark })]
  const stream = Duplex.from({ readable: input, writable: output })
  return { stream, input, output }
}

function collect(
  stream: Duplex,
  isPatient = false,
): { readonly lines: JsonLines; readonly got: unknown[]; readonly ended: Promise<Error | undefined> } {
  const got: unknown[] = []
  let lines: JsonLines | null = null
  const ended = new Promise<Error | undefined>((resolve) => {
    lines = new JsonLines(stream, { isPatient, onMessage: (message) => got.push(message), onEnd: resolve })
  })
  if (lines === null) throw new Error('unreachable')
  return { lines, got, ended }
}

test('JsonLines puts messages together that come in pieces, also within a character', async () => {
  const { stream, input } = openPair()
  const { got, ended } = collect(stream)
  const bytes = Buffer.from('{"a":"é"}\n\n[1,2]\n')
  for (const byte of bytes) input.write(Buffer.from([byte]))
  input.end()
  expect(await ended).toBeUndefined()
  expect(got).toEqual([{ a: 'é' }, [1, 2]])
})

test('JsonLines ends at a line that is not JSON', async () => {
  const { stream, input } = openPair()
  const { got, ended } = collect(stream)
  input.write('1\nnonsense\n2\n')
  expect(await ended).toBeInstanceOf(Error)
  expect(got).toEqual([1])
})

test('JsonLines that is patient reads on only when its own messages are taken', async () => {
  const { stream, input, output } = openPair()
  const { lines, got, ended } = collect(stream, true)
  while (lines.send({ text: 'x'.repeat(100) })) {}
  expect(lines.isCongested).toBe(true)
  expect(stream.isPaused()).toBe(true)
  input.write('1\n')
  expect(got).toEqual([])
  output.resume()
  input.end()
  await ended
  expect(got).toEqual([1])
})

test('JsonLines sends nothing once it has ended', async () => {
  const { stream, input } = openPair()
  const { lines, ended } = collect(stream)
  input.end()
  await ended
  expect(lines.send(1)).toBe(false)
})
