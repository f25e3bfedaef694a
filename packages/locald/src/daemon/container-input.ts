// Types into containers, each request once. Of processes the keeper remembers what was typed, whatever becomes of the daemon;
// what an engine was given, only the daemon that gave it knows.
import type { AttachInput } from '@locald/protocol'
import type { ContainerTerminal } from '../container/container-terminal.ts'

/** Clients that are remembered: more than are ever attached. */
const mostClients = 1000

type TerminalOf = (run: string) => Pick<ContainerTerminal, 'write'> | null

export class ContainerInput {
  readonly #terminalOf: TerminalOf
  /** The number of the last request, by client; the one that typed last at the end. */
  readonly #last = new Map<string, number>()

  constructor(terminalOf: TerminalOf) {
    this.#terminalOf = terminalOf
  }

  /**
   * False when it was not typed, or another daemon may have done so: a key that is lost is typed again by somebody who sees
   * that, one that is typed twice has answered the next question.
   */
  write(run: string, { client, seq, data, again = false }: AttachInput): boolean {
    const last = this.#last.get(client)
    if (last === undefined && again) return false
    if (last !== undefined && seq <= last) return true
    const isWritten = this.#terminalOf(run)?.write(Buffer.from(data, 'base64')) ?? false
    if (isWritten) this.#remember(client, seq)
    return isWritten
  }

  #remember(client: string, seq: number): void {
    this.#last.delete(client)
    this.#last.set(client, seq)
    const [oldest] = this.#last.keys()
    if (this.#last.size > mostClients && oldest !== undefined) this.#last.delete(oldest)
  }
}
