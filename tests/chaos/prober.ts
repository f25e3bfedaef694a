// A client that connects all the time: none of its connections may be refused, and each question is answered in the end.
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ProbeReport {
  readonly answered: number
  /** Nobody listened: the one thing that must not happen. */
  readonly refused: number
  /** Cut off in the middle, and asked again. */
  readonly broken: number
  /** The longest that anybody waited for an answer, over all attempts. */
  readonly worstMs: number
}

export interface Prober {
  stop(): Promise<ProbeReport>
}

export function startProber(socket: string): Prober {
  let answered = 0
  let refused = 0
  let broken = 0
  let worstMs = 0
  const over = new AbortController()
  const probe = async (): Promise<void> => {
    const began = performance.now()
    for (;;) {
      const outcome = await ask(socket)
      if (outcome === 'answered') answered += 1
      else if (outcome === 'broken') broken += 1
      else refused += 1
      if (outcome !== 'broken') break
    }
    worstMs = Math.max(worstMs, performance.now() - began)
  }
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await probe()
      await sleep(10)
    }
  }
  const running = [run(), run()]
  return {
    stop: async () => {
      over.abort()
      await Promise.all(running)
      return { answered, refused, broken, worstMs }
    },
  }
}

function ask(socket: string): Promise<'answered' | 'refused' | 'broken'> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: socket, path: '/v1/server', agent: false, timeout: 20_000 }, (answer) => {
      answer.on('error', () => resolve('broken'))
      answer.on('end', () => resolve('answered'))
      answer.resume()
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'refused' : 'broken')
    })
    asked.end()
  })
}
