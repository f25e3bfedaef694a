import { decode, encode } from 'dns-packet'
import type { Packet, RecordType } from 'dns-packet'
import { assert, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { dnsAnswer } from './dns-answer.ts'

const suffixes = ['test', 'dev.example.com']

function ask(name: string, type: RecordType = 'A', rest: Packet = {}): ReturnType<typeof decode> {
  const answer = dnsAnswer(encode({ type: 'query', id: 7, flags: 256, questions: [{ name, type }], ...rest }), suffixes)
  if (answer === null) throw new Error('No answer')
  return decode(answer)
}

test('names below a suffix, and the suffix itself, lead to this machine', () => {
  for (const name of ['shop.test', 'a.b.c.test', 'test', 'x.dev.example.com', 'dev.example.com', '_x.test']) {
    expect(ask(name).answers, name).toMatchObject([{ name, type: 'A', data: '127.0.0.1' }])
    expect(ask(name, 'AAAA').answers, name).toMatchObject([{ name, type: 'AAAA', data: '::1' }])
  }
})

test('a question comes back as it was asked, in its capitals too', () => {
  const answer = ask('ShOp.TeST')
  expect(answer).toMatchObject({
    id: 7,
    type: 'response',
    flag_aa: true,
    flag_rd: true,
    flag_tc: false,
    rcode: 'NOERROR',
  })
  expect(answer.questions).toMatchObject([{ name: 'ShOp.TeST', type: 'A', class: 'IN' }])
})

test('other types have no records, and are no error', () => {
  for (const type of ['MX', 'TXT', 'SRV', 'NS', 'UNKNOWN_65' as RecordType] as const) {
    expect(ask('shop.test', type), type).toMatchObject({ rcode: 'NOERROR', answers: [], questions: [{ type }] })
  }
})

test('names outside of the suffixes are refused', () => {
  for (const name of ['example.com', 'notest', 'test.com', 'xtest', 'com', '.', 'xdev.example.com', 'a b.test']) {
    expect(ask(name), name).toMatchObject({ rcode: 'REFUSED', answers: [], id: 7 })
  }
  const chaos = encode({ type: 'query', id: 1, questions: [{ name: 'shop.test', type: 'TXT', class: 'CH' }] })
  expect(decode(dnsAnswer(chaos, suffixes) ?? Buffer.alloc(0))).toMatchObject({ rcode: 'REFUSED' })
})

test('whoever speaks of extensions is told that they are understood', () => {
  const opt = {
    type: 'OPT' as const,
    name: '.' as const,
    udpPayloadSize: 4096,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  }
  expect(ask('shop.test', 'A', { additionals: [opt] }).additionals).toMatchObject([
    { type: 'OPT', udpPayloadSize: 1232 },
  ])
  expect(ask('shop.test').additionals).toEqual([])
  expect(ask('example.com', 'A', { additionals: [opt] })).toMatchObject({
    rcode: 'REFUSED',
    questions: [{ name: 'example.com' }],
    additionals: [{ type: 'OPT', udpPayloadSize: 1232 }],
  })
  expect(ask('example.com').additionals).toEqual([])
})

test('what is no question gets no answer, and what makes no sense is said to', () => {
  const query = encode({ type: 'query', id: 7, questions: [{ name: 'shop.test', type: 'A' }] })
  const changed = (change: (bytes: Buffer) => void): Buffer | null => {
    const bytes = Buffer.from(query)
    change(bytes)
    return dnsAnswer(bytes, suffixes)
  }
  const codeOf = (answer: Buffer | null): string =>
    answer === null ? 'none' : String(Reflect.get(decode(answer), 'rcode'))
  expect(changed((bytes) => bytes.writeUInt16BE(0x8000, 2))).toBeNull()
  expect(dnsAnswer(query.subarray(0, 11), suffixes)).toBeNull()
  expect(dnsAnswer(Buffer.concat([query, Buffer.alloc(2000)]), suffixes)).toBeNull()
  expect(codeOf(changed((bytes) => bytes.writeUInt16BE(0x2800, 2)))).toBe('NOTIMP')
  expect(codeOf(changed((bytes) => bytes.writeUInt16BE(2, 4)))).toBe('FORMERR')
  expect(codeOf(changed((bytes) => bytes.writeUInt16BE(0, 4)))).toBe('FORMERR')
  // A name that points at itself, and one that points at a later place.
  expect(codeOf(changed((bytes) => bytes.writeUInt16BE(0xc00c, 12)))).toBe('FORMERR')
  expect(codeOf(changed((bytes) => bytes.writeUInt16BE(0xc014, 12)))).toBe('FORMERR')
})

test('no bytes at all make it throw or answer more than a little', () => {
  const header = encode({ type: 'query', id: 7, questions: [{ name: 'shop.test', type: 'A' }] }).subarray(0, 12)
  assert(
    property(uint8Array({ maxLength: 400 }), (bytes) => {
      expect((dnsAnswer(Buffer.from(bytes), suffixes) ?? Buffer.alloc(0)).length).toBeLessThan(600)
      expect((dnsAnswer(Buffer.concat([header, bytes]), suffixes) ?? Buffer.alloc(0)).length).toBeLessThan(600)
    }),
    { numRuns: 2000 },
  )
})
