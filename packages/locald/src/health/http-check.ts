// One HTTP request, judged by its status.
import { Agent, request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'

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

/** Keeps no connection: a check must not be what holds a server open. Made once, since each costs more than a request. */
const agent = new Agent({ keepAlive: false })

/** Never rejects. The time-out spans all addresses and what is read of the body. */
export async function httpCheck(attempt: HttpAttempt, signal: AbortSignal): Promise<AttemptResult> {
  const what = `${attempt.method} ${attempt.path} on port ${attempt.port}`
  const exchange = new Exchange(attempt)
  const cancel = (): void => exchange.end()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    cancel()
  }, attempt.timeoutMs).unref()
  const release = (): void => {
    clearTimeout(timer)
    signal.removeEventListener('abort', cancel)
  }
  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  try {
    const response = await exchange.firstAnswer()
    const code = response.statusCode ?? 0
    const message = `${what} answered ${code}`
    const body = bodyOf(response).finally(release)
    // A healthy head is the answer; its body is read aside.
    if (attempt.status.some(([low, high]) => code >= low && code <= high)) return { ok: true, message }
    // Of errors everybody knows that they are none of what is expected.
    const expected = code < 400 ? `, expected ${attempt.status.map(rangeText).join(' or ')}` : ''
    return withOutput({ ok: false, message: `${message}${expected}` }, await body)
  } catch (error) {
    release()
    return { ok: false, message: `${what}: ${isLate ? `no answer within ${attempt.timeoutMs} ms` : reasonOf(error)}` }
  }
}

function rangeText([low, high]: readonly [number, number]): string {
  return low === high ? String(low) : `${low}-${high}`
}

function withOutput(result: AttemptResult, output: string): AttemptResult {
  return output === '' ? result : { ...result, output }
}

/** One request, on one address after the other. Plain events: checks of hundreds of services make them dear otherwise. */
class Exchange {
  readonly #attempt: HttpAttempt
  #asked: ClientRequest | null = null
  #isOver = false

  constructor(attempt: HttpAttempt) {
    this.#attempt = attempt
  }

  /** Lets go of the connection; what is waited for fails. */
  end(): void {
    this.#isOver = true
    this.#asked?.destroy(new Error('cancelled'))
  }

  async firstAnswer(): Promise<IncomingMessage> {
    let refused: unknown = new Error('no address to ask')
    for (const address of this.#attempt.addresses) {
      try {
        return await this.#answerFrom(address)
      } catch (error) {
        if (codeOf(error) !== 'ECONNREFUSED') throw error
        refused = error
      }
    }
    throw refused
  }

  async #answerFrom(host: string): Promise<IncomingMessage> {
    if (this.#isOver) throw new Error('cancelled')
    return await new Promise((resolve, reject) => {
      const { method, path, port } = this.#attempt
      const asked = request({ host, port, method, path, headers: headersOf(this.#attempt), agent })
      this.#asked = asked
      asked.on('response', resolve)
      asked.on('upgrade', (response, socket) => {
        socket.destroy()
        response.destroy()
        resolve(response)
      })
      asked.on('error', reject)
      asked.end()
    })
  }
}

function headersOf({ headers }: HttpAttempt): Readonly<Record<string, string>> {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { host: 'localhost', 'user-agent': 'locald', accept: '*/*', ...own, connection: 'close' }
}

/** The beginning of the body; what follows is read and dropped, up to a limit. Never rejects. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  if (response.destroyed) return ''
  return await new Promise((resolve) => {
    const kept: Buffer[] = []
    let length = 0
    response.on('data', (chunk: Buffer) => {
      if (length < outputBytes) kept.push(chunk)
      length += chunk.length
      if (length > drainBytes) response.destroy()
    })
    response.on('error', () => {}) // cut short, by the service or by the time-out: the status is what counts
    response.on('close', () => resolve(Buffer.concat(kept).subarray(0, outputBytes).toString('utf8').trim()))
  })
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'ECONNRESET':
      return 'connection closed without an answer'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
