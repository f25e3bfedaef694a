// The answer of the DNS server to one question: bytes in, bytes out. https://www.rfc-editor.org/rfc/rfc1035
import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_DESIRED } from 'dns-packet'
import type { Answer, DecodedPacket, Question } from 'dns-packet'
import { isBelow } from '../certificates/host-suffix.ts'

/** What every message begins with. */
const headerBytes = 12
/** More than any question needs; a longer one is somebody's joke. */
export const maxQuestionBytes = 1232
/** Seconds. The names are here to stay, the setup may be undone. */
const ttl = 30

const responseCodes = { formatError: 1, notImplemented: 4, refused: 5 } as const

/**
 * Names below one of the suffixes, and the suffixes themselves, lead to this machine; questions about others are refused, so that
 * a resolver goes on with its other servers. Null: no answer at all, since it is no question.
 */
export function dnsAnswer(message: Buffer, suffixes: readonly string[]): Buffer | null {
  if (message.length < headerBytes || message.length > maxQuestionBytes) return null
  const flags = message.readUInt16BE(2)
  // An answer to an answer could go on for ever between two servers.
  if ((flags & 0x8000) !== 0) return null
  const bare = (code: number): Buffer => bareAnswer(message.readUInt16BE(0), flags, code)
  if ((flags & 0x7800) !== 0) return bare(responseCodes.notImplemented)
  const packet = decoded(message)
  const [question, ...others] = packet?.questions ?? []
  if (packet === null || question === undefined || others.length > 0) return bare(responseCodes.formatError)
  const knowsExtensions = packet.additionals?.some(({ type }) => type === 'OPT') === true
  if (question.class !== 'IN' || !isOurs(question.name, suffixes)) {
    const refused = withQuestion(bare(responseCodes.refused), message)
    return knowsExtensions ? withExtensions(refused) : refused
  }
  return encode({
    type: 'response',
    id: packet.id ?? 0,
    flags: AUTHORITATIVE_ANSWER | (flags & RECURSION_DESIRED),
    questions: [question],
    answers: answersTo(question),
    additionals: knowsExtensions ? [edns] : [],
  })
}

/** Says that we understand the extensions, and use none. https://www.rfc-editor.org/rfc/rfc6891#section-6.1.1 */
const edns: Answer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: maxQuestionBytes,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
}

/** The same, for an answer that is bytes already: a resolver that hears nothing of extensions asks without them from then on. */
function withExtensions(answer: Buffer): Buffer {
  const record = Buffer.from([0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0])
  record.writeUInt16BE(maxQuestionBytes, 3)
  answer.writeUInt16BE(1, 10)
  return Buffer.concat([answer, record])
}

/** Any other type exists for no name here: no records, and no error. */
function answersTo({ name, type }: Question): Answer[] {
  // Its own types do not know it, but it reads it.
  const isAny = (type as string) === 'ANY'
  return [
    ...(type === 'A' || isAny ? [{ type: 'A' as const, name, ttl, data: '127.0.0.1' }] : []),
    ...(type === 'AAAA' || isAny ? [{ type: 'AAAA' as const, name, ttl, data: '::1' }] : []),
  ]
}

function decoded(message: Buffer): DecodedPacket | null {
  try {
    return decode(message)
  } catch {
    // Anybody may send anything.
    return null
  }
}

/** Names of other characters would come back as other bytes. */
function isOurs(name: string, suffixes: readonly string[]): boolean {
  const lower = name.toLowerCase()
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(lower)) return false
  return suffixes.some((suffix) => isBelow(lower, suffix))
}

function bareAnswer(id: number, flags: number, code: number): Buffer {
  const answer = Buffer.alloc(headerBytes)
  answer.writeUInt16BE(id, 0)
  answer.writeUInt16BE(0x8000 | (flags & 0x7900) | code, 2)
  return answer
}

/** Resolvers take no answer that does not repeat what they asked. The question was read before, so it has an end. */
function withQuestion(answer: Buffer, message: Buffer): Buffer {
  let end = headerBytes
  for (let length = message[end] ?? 0; length > 0 && length < 0xc0; length = message[end] ?? 0) end += 1 + length
  // A pointer takes two bytes, the last label none but its length; type and class four.
  end += (message[end] ?? 0) === 0 ? 5 : 6
  answer.writeUInt16BE(1, 4)
  return Buffer.concat([answer, message.subarray(headerBytes, end)])
}
