// The keeper's end of its connection to the daemon.
import { JsonLines } from '../lib/json-lines.ts'
import type { Duplex } from 'node:stream'
import type { Logger } from '../lib/logger.ts'
import type { Keeper, KeeperListener } from './keeper.ts'
import type { KeeperMessage, KeeperOperation, KeeperOperations } from './protocol.ts'

/** Serves one daemon until its connection ends. Facts wait until it has said hello. */
export class KeeperSession {
  readonly #keeper: Keeper
  readonly #logger: Logger
  readonly #lines: JsonLines
  /** Streams that grew while the daemon was not reading. */
  readonly #grown = new Set<string>()
  readonly #listener: KeeperListener = {
    onFact: (fact) => this.#send({ fact }),
    onGrew: (stream) => {
      this.#grown.add(stream)
      if (!this.#lines.isCongested) this.#sendGrown()
    },
    onTrouble: (trouble) => this.#send(trouble),
  }
  #hasEnded = false

  constructor(keeper: Keeper, socket: Duplex, logger: Logger) {
    this.#keeper = keeper
    this.#logger = logger
    this.#lines = new JsonLines(socket, {
      isPatient: true,
      onMessage: (message) => this.#onRequest(message),
      onDrain: () => this.#sendGrown(),
      onEnd: (error) => {
        if (error !== undefined) logger.log('warn', 'The connection to the daemon failed', { error })
        this.close()
      },
    })
  }

  close(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#keeper.unlisten(this.#listener)
    this.#lines.close()
  }

  #onRequest(message: unknown): void {
    if (!isFrame(message)) {
      this.#logger.log('error', 'The daemon sent a message that is no request', { message })
      return
    }
    const { id, op, params } = message
    const refuse = (error: unknown): void => {
      this.#logger.log('error', 'A request of the daemon failed', { op, error })
      this.#send({ id, error: error instanceof Error ? error.message : String(error) })
    }
    try {
      if (!this.#keeper.offers(op)) throw new Error(`This keeper does not know "${op}"`)
      const result = this.#keeper.handle(op, params)
      if (result instanceof Promise) void result.then((later) => this.#send({ id, result: later }), refuse)
      else this.#send({ id, result })
    } catch (error) {
      refuse(error)
      return
    }
    if (op === 'hello') this.#greet()
  }

  /** From here on the daemon hears of everything, beginning with what its predecessor has not acknowledged. */
  #greet(): void {
    for (const fact of this.#keeper.unacknowledged) this.#send({ fact })
    this.#keeper.listen(this.#listener)
  }

  #sendGrown(): void {
    for (const grew of this.#grown) {
      this.#grown.delete(grew)
      if (!this.#send({ grew })) return
    }
  }

  #send(message: KeeperMessage): boolean {
    return this.#lines.send(message)
  }
}

interface Frame {
  readonly id: number
  readonly op: string
  readonly params: KeeperOperations[KeeperOperation]['params']
}

// Only the frame is checked: the daemon is of the same package, and whatever is wrong inside fails as one request.
function isFrame(message: unknown): message is Frame {
  if (typeof message !== 'object' || message === null) return false
  if (!('id' in message && 'op' in message && 'params' in message)) return false
  const { id, op, params } = message
  return typeof id === 'number' && typeof op === 'string' && typeof params === 'object' && params !== null
}
