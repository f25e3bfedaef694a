// The keeper's end of its connection to the daemon.
import { JsonLines } from '../lib/json-lines.ts'
import type { Duplex } from 'node:stream'
import type { Logger } from '../lib/logger.ts'
import type { Keeper, KeeperListener } from './keeper.ts'
import type { KeeperMessage, KeeperOperation, KeeperOperations } from './protocol.ts'

const operations: Readonly<Record<KeeperOperation, true>> = {
  hello: true,
  spawn: true,
  end: true,
  signal: true,
  members: true,
  resize: true,
  write: true,
  list: true,
  append: true,
  ack: true,
  shutdown: true,
}

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
    const request = parseRequest(message)
    if (request === null) {
      this.#logger.log('error', 'The daemon sent a message that is no request', { message })
      return
    }
    const { id, op, params } = request
    try {
      this.#send({ id, result: this.#keeper.handle(op, params) })
    } catch (error) {
      this.#logger.log('error', 'A request of the daemon failed', { op, error })
      this.#send({ id, error: error instanceof Error ? error.message : String(error) })
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

interface Request {
  readonly id: number
  readonly op: KeeperOperation
  readonly params: KeeperOperations[KeeperOperation]['params']
}

// Only the frame is checked: the daemon is of the same package, and whatever is wrong inside fails as one request.
function parseRequest(message: unknown): Request | null {
  if (typeof message !== 'object' || message === null || !('id' in message && 'op' in message && 'params' in message)) return null
  const { id, op, params } = message
  if (typeof id !== 'number' || typeof op !== 'string' || typeof params !== 'object' || params === null) return null
  return isOperation(op) ? { id, op, params: params as Request['params'] } : null
}

function isOperation(op: string): op is KeeperOperation {
  return Object.hasOwn(operations, op)
}
