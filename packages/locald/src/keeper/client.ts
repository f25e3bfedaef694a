// The daemon's end of its connection to the keeper.
import { JsonLines } from '../lib/json-lines.ts'
import type { Duplex } from 'node:stream'
import type { KeeperLink } from './keeper-link.ts'
import type {
  Fact,
  KeeperMessage,
  KeeperOperation,
  KeeperOperations,
  KeeperRequest,
  StreamTrouble,
} from './protocol.ts'

/** Speaks the keeper's protocol over the socket that the daemon inherited. Listeners are set before `hello`. */
export function connectKeeper(socket: Duplex): KeeperLink {
  return new SocketKeeperLink(socket)
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

class SocketKeeperLink implements KeeperLink {
  readonly #lines: JsonLines
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #onFact: (fact: Fact) => void = () => {}
  #onGrew: (stream: string) => void = () => {}
  #onTrouble: (trouble: StreamTrouble) => void = () => {}
  #onLost: () => void = () => {}
  #isLost = false

  constructor(socket: Duplex) {
    this.#lines = new JsonLines(socket, {
      onMessage: (message) => this.#receive(message as KeeperMessage),
      onEnd: (error) => this.#lose(error),
    })
  }

  async request<Op extends KeeperOperation>(
    op: Op,
    params: KeeperOperations[Op]['params'],
  ): Promise<KeeperOperations[Op]['result']> {
    if (this.#isLost) throw new Error(`Cannot ask the keeper to ${op}: it is gone`)
    const id = ++this.#lastId
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    const request: KeeperRequest = { id, op, params }
    this.#lines.send(request)
    return (await answer) as KeeperOperations[Op]['result']
  }

  onFact(listener: (fact: Fact) => void): void {
    this.#onFact = listener
  }

  onGrew(listener: (stream: string) => void): void {
    this.#onGrew = listener
  }

  onTrouble(listener: (trouble: StreamTrouble) => void): void {
    this.#onTrouble = listener
  }

  onLost(listener: () => void): void {
    this.#onLost = listener
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#onLost = () => {}
    this.#lines.close()
    this.#lose()
  }

  #receive(message: KeeperMessage): void {
    if ('fact' in message) this.#onFact(message.fact)
    else if ('grew' in message) this.#onGrew(message.grew)
    else if ('trouble' in message) this.#onTrouble(message)
    else this.#settle(message)
  }

  #settle(message: Extract<KeeperMessage, { id: number }>): void {
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if ('error' in message) waiting?.reject(new Error(`The keeper refused: ${message.error}`))
    else waiting?.resolve(message.result)
  }

  #lose(cause?: Error): void {
    if (this.#isLost) return
    this.#isLost = true
    for (const { reject } of this.#waiting.values()) reject(new Error('Cannot reach the keeper: it is gone', { cause }))
    this.#waiting.clear()
    this.#onLost()
  }
}
