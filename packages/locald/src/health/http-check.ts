// One HTTP request, judged by its status.
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'

export interface HttpAttempt {
  readonly method: string
  readonly path: string
  readonly port: number
  /** Tried in this order; the next one only when a connection was refused. */
  readonly addresses: readonly string[]
  /** Healthy ones, as ranges, both ends included. */
  readonly status: readonly (readonly [number, number])[]
  /** Win over the default `Host: localhost`. */
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

export interface AttemptResult {
  readonly ok: boolean
  readonly message: string
  /** What it said, when that was not right: at most 4 KiB. */
  readonly output?: string
}

const outputBytes = 4096
/** Read to its end, a body leaves no broken connection in the service's log; an endless one has to be cut. */
const drainBytes = 64 * 1024

/** Never rejects. The time-out spans all addresses and what is read of the body. */
export async function httpCheck(attempt: HttpAttempt, signal: AbortSignal): Promise<AttemptResult> {
  const what = `${attempt.method} ${attempt.path} on port ${attempt.port}`
  const ending = new AbortController()
  const abort = (): void => ending.abort()
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    abort()
  }, attempt.timeoutMs).unref()
  const release = (): void => {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
  try {
    const response = await firstAnswer(attempt, ending.signal)
    const code = response.statusCode ?? 0
    const message = `${what} answered ${code}`
    const body = bodyOf(response).finally(release)
    // A healthy head is the answer; its body is read aside.
    if (attempt.status.some(([low, high]) => code >= low && code <= high)) return { ok: true, message }
    return withOutput({ ok: false, message }, await body)
  } catch (error) {
    release()
    return { ok: false, message: `${what}: ${isLate ? `no answer within ${attempt.timeoutMs} ms` : reasonOf(error)}` }
  }
}

function withOutput(result: AttemptResult, output: string): AttemptResult {
  return output === '' ? result : { ...result, output }
}

async function firstAnswer(attempt: HttpAttempt, signal: AbortSignal): Promise<IncomingMessage> {
  let refused: unknown = new Error('no address to ask')
  for (const address of attempt.addresses) {
    try {
      return await answerFrom(attempt, address, signal)
    } catch (error) {
      if (codeOf(error) !== 'ECONNREFUSED') throw error
      refused = error
    }
  }
  throw refused
}

async function answerFrom(attempt: HttpAttempt, host: string, signal: AbortSignal): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const { method, path, port } = attempt
    const own = Object.fromEntries(Object.entries(attempt.headers).map(([name, value]) => [name.toLowerCase(), value]))
    const headers = { host: 'localhost', 'user-agent': 'locald', accept: '*/*', ...own, connection: 'close' }
    const asked = request({ host, port, method, path, headers, agent: false, signal })
    asked.on('response', resolve)
    asked.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve(response)
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** The beginning of the body; what follows is read and dropped, up to a limit. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  const kept: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) break // cannot be: no encoding was set
      if (length < outputBytes) kept.push(chunk)
      length += chunk.length
      if (length > drainBytes) break
    }
  } catch {
    // Cut short, by the service or by the time-out: the status is what counts.
  }
  return Buffer.concat(kept).subarray(0, outputBytes).toString('utf8').trim()
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'ECONNRESET':
      return 'connection closed without an answer'
    case 'ABORT_ERR':
      return 'cancelled'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
