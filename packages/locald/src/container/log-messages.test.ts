import { describe, expect, test } from 'vitest'
import { createLogParser, joinMessages, parseEngineTime } from './log-messages.ts'
import type { LogMessage } from './log-messages.ts'

const at = (fraction: string): string => `2026-11-22T19:40:44.${fraction}Z `
const base = Date.parse('2026-11-22T19:40:44Z')

function frame(stream: 1 | 2, time: string, text: string): Buffer {
  const body = Buffer.from(time + text)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(body.length, 4)
  return Buffer.concat([header, body])
}

function shown(messages: readonly LogMessage[]): readonly string[] {
  return messages.map(({ stream, at: time, bytes }) => `${stream} ${(time - base).toFixed(3)} ${bytes.toString()}`)
}

function pushAll(parser: ReturnType<typeof createLogParser>, bytes: Buffer, size: number): readonly LogMessage[] {
  const messages: LogMessage[] = []
  for (let from = 0; from < bytes.length; from += size) {
    const part = parser.push(bytes.subarray(from, from + size))
    messages.push(...part.map((one) => ({ ...one, bytes: Buffer.from(one.bytes) })))
  }
  return messages
}

describe('createLogParser()', () => {
  test.each([1, 7, 1000])('takes framed messages apart that arrive in pieces of %i bytes', (size) => {
    const stream = Buffer.concat([
      frame(1, at('130795093'), 'first\n'),
      frame(2, at('130800000'), 'error\n'),
      frame(1, at('131000000'), 'no end'),
    ])
    expect(shown(pushAll(createLogParser(false), stream, size))).toEqual([
      'stdout 130.795 first\n',
      'stderr 130.800 error\n',
      'stdout 131.000 no end',
    ])
  })

  test.each([3, 50_000])(
    'finds the messages of a terminal, also where the engine cut a long line, in pieces of %i bytes',
    (size) => {
      const long = 'x'.repeat(16 * 1024)
      const text = `${at('100000000')}short\r\n${at('200000000')}${long}${at('300000000')}rest\r\n${at('400000000')}end\r\n`
      const messages = pushAll(createLogParser(true), Buffer.from(text), size)
      expect(messages.map(({ at: time }) => Math.round(time - base))).toEqual([100, 200, 300, 400])
      expect(Buffer.concat(messages.map(({ bytes }) => bytes)).toString()).toBe(`short\r\n${long}rest\r\nend\r\n`)
    },
  )
})

test('joinMessages() joins what came within 5 ms on one stream, under the time of the last', () => {
  const message = (stream: 'stdout' | 'stderr', time: number): LogMessage => ({
    stream,
    at: time,
    bytes: Buffer.from(`${time};`),
  })
  const joined = joinMessages([
    message('stdout', 1),
    message('stdout', 4),
    message('stderr', 5),
    message('stdout', 6),
    message('stdout', 12),
  ])
  expect(joined.map(({ stream, at: time, bytes }) => `${stream} ${time} ${bytes.toString()}`)).toEqual([
    'stdout 4 1;4;',
    'stderr 5 5;',
    'stdout 6 6;',
    'stdout 12 12;',
  ])
})

test('parseEngineTime() keeps what is finer than a millisecond', () => {
  expect(parseEngineTime('2026-11-22T19:40:44.130795093Z') - base).toBeCloseTo(130.795, 2)
  expect(parseEngineTime('2026-11-22T19:40:44Z')).toBe(base)
  expect(parseEngineTime('2026-11-22T20:40:44.5+01:00')).toBe(base + 500)
})
