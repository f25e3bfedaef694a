import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { headerBytes, type FrameHeader, type FrameStream } from '../lib/segment-format.ts'
import { LineAssembler, type AssembledLine } from './line-assembler.ts'
import { firstNeeded, streamBeginning, type ReadPosition } from './read-position.ts'

interface Frame {
  readonly header: FrameHeader
  readonly payload: Buffer
}

interface Piece {
  readonly stream: FrameStream
  readonly run: number
  readonly bytes: Uint8Array
}

function framesOf(pieces: readonly Piece[]): Frame[] {
  let seq = 0
  return pieces.map(({ stream, run, bytes }, index) => {
    const kind = stream === 'none' ? 'record' : 'output'
    const header = { kind, stream, run, seq, at: index, length: bytes.length, open: 0 } as const
    seq += headerBytes + bytes.length
    return { header, payload: Buffer.from(bytes) }
  })
}

function linesOf(frames: readonly Frame[], from: ReadPosition, maxLineBytes: number): AssembledLine[] {
  const assembler = new LineAssembler({ from, maxLineBytes })
  const first = firstNeeded(from)
  const needed = frames.filter(({ header }) => header.seq + headerBytes + header.length > first)
  return [...needed.flatMap(({ header, payload }) => [...assembler.add(header, payload)]), ...assembler.giveParts()]
}

/** What the lines of a stream are, told byte by byte. */
function expectedTexts(bytes: Uint8Array, maxLineBytes: number): string[] {
  const texts: string[] = []
  let line: number[] = []
  let returned = false
  let continued = false
  const give = (length: number): void => {
    texts.push(Buffer.from(line.slice(0, length)).toString())
    line = line.slice(length)
  }
  for (const byte of bytes) {
    if (byte === 13) returned = true
    else if (byte === 10) {
      if (line.length > 0 || !continued) give(line.length)
      returned = false
      continued = false
    } else {
      if (returned) line = []
      returned = false
      line.push(byte)
      if (line.length > maxLineBytes) {
        let cut = maxLineBytes
        while (cut > maxLineBytes - 4 && cut > 0 && ((line[cut] ?? 0) & 0xc0) === 0x80) cut--
        if (cut === maxLineBytes - 4 || cut === 0) cut = maxLineBytes
        give(cut)
        continued = true
      }
    }
  }
  return [...texts, ...(line.length > 0 ? [Buffer.from(line).toString()] : [])]
}

const text = fc.array(fc.constantFrom('a', 'bc', '\n', '\r\n', '\r', 'é', '日', '🎉', '\n\n', 'defghijklmn'), {
  maxLength: 60,
})
/** Valid UTF-8, cut anywhere. */
const chunks = fc.tuple(text, fc.array(fc.nat(200), { maxLength: 12 })).map(([parts, cuts]) => {
  const bytes = Buffer.from(parts.join(''))
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((to, index) => bytes.subarray(places[index], to))
})
const limits = fc.constantFrom(5, 8, 64 * 1024)

test('LineAssembler makes the same lines wherever the chunks are cut', () => {
  fc.assert(
    fc.property(chunks, limits, (parts, limit) => {
      const frames = framesOf(parts.map((bytes) => ({ stream: 'pty', run: 1, bytes })))
      const texts = linesOf(frames, streamBeginning, limit).map((line) => line.text)
      expect(texts).toEqual(expectedTexts(Buffer.concat(parts), limit))
    }),
    { numRuns: 500 },
  )
})

test('LineAssembler makes U+FFFD of invalid bytes, and loses none of the others', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), (parts) => {
      const ended = [...parts, Buffer.from('\n')]
      const frames = framesOf(ended.map((bytes) => ({ stream: 'pty', run: 1, bytes })))
      const texts = linesOf(frames, streamBeginning, 1024).map((line) => line.text)
      expect(texts).toEqual(expectedTexts(Buffer.concat(ended), 1024))
    }),
    { numRuns: 500 },
  )
})

const pieces = fc.array(
  fc.record({
    stream: fc.constantFrom<FrameStream>('stdout', 'stderr', 'none'),
    newRun: fc.nat(9),
    text: fc.array(fc.constantFrom('a', 'bc', '\n', '\r', 'é', '🎉', 'defghi'), { minLength: 1, maxLength: 12 }),
  }),
  { maxLength: 25 },
)

test('LineAssembler goes on after any line as if it had not been interrupted', () => {
  fc.assert(
    fc.property(pieces, limits, (recorded, limit) => {
      let run = 1
      const frames = framesOf(
        recorded.map(({ stream, newRun, text }) => {
          if (newRun === 0) run++
          return { stream, run, bytes: Buffer.from(text.join('')) }
        }),
      )
      const all = linesOf(frames, streamBeginning, limit)
      const shape = ({ origin, text, end, continues }: AssembledLine): unknown => [
        origin.stream,
        text,
        origin.at,
        origin.run,
        end,
        continues,
      ]
      for (const [index, line] of all.entries()) {
        const rest = linesOf(frames, line.after(), limit)
        expect(rest.map(shape)).toEqual(all.slice(index + 1).map(shape))
      }
      for (const [index, line] of all.entries()) expect(line.end).toBeGreaterThan(all[index - 1]?.end ?? -1)
    }),
    { numRuns: 300 },
  )
})

test('LineAssembler keeps a line of exactly the limit whole', () => {
  const line = 'x'.repeat(64 * 1024)
  const frames = framesOf([
    { stream: 'pty', run: 1, bytes: Buffer.from(line.slice(0, 1000)) },
    { stream: 'pty', run: 1, bytes: Buffer.from(`${line.slice(1000)}\r\nnext\n`) },
  ])
  expect(linesOf(frames, streamBeginning, 64 * 1024).map(({ text }) => text.length)).toEqual([64 * 1024, 4])
})

test('LineAssembler ends an open line when its run is over, before the record that says so', () => {
  const frames = framesOf([
    { stream: 'stderr', run: 1, bytes: Buffer.from('no line feed') },
    { stream: 'none', run: 1, bytes: Buffer.from('{"type":"run.exited","code":1,"signal":null}') },
    { stream: 'stderr', run: 2, bytes: Buffer.from('anew') },
  ])
  const lines = linesOf(frames, streamBeginning, 1024)
  expect(lines.map(({ text, origin }) => `${String(origin.run)} ${text}`)).toEqual([
    '1 no line feed',
    '1 exited with code 1',
    '2 anew',
  ])
})
