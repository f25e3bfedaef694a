// `locald attach`: the terminal of a service, here.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import { exitCodes } from '@locald/protocol'
import type { AttachMessage } from '@locald/protocol'
import { InputSender } from '../attach-input.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { DetachKeys, holdMs, isTerminalReply } from '../detach-keys.ts'
import { OwnTerminal } from '../own-terminal.ts'
import { TerminalModes } from '../terminal-modes.ts'

const bell = '\x07'
const detachedByKeys = Buffer.from('\x10\x11')

/** How it came to an end. */
type Ending =
  | { readonly by: 'detached' }
  | { readonly by: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly by: 'error'; readonly error: unknown }
  /** The service is down; null: the output was closed. */
  | { readonly by: 'service'; readonly message: (AttachMessage & { readonly type: 'ended' }) | null }

export async function attach(context: CommandContext, call: Invocation): Promise<number> {
  const client = await context.connect()
  using terminal = new OwnTerminal()
  const session = new AttachSession(context, terminal)
  using _interrupts = context.onInterrupt((signal) => session.end({ by: 'signal', signal }))
  const { selector } = context
  const service = call.args[0] ?? ''
  const id = randomUUID()
  session.sendBy(
    async (input) =>
      await client.type({ ...selector, ...input, service, client: id, run: session.run, size: terminal.size }),
  )
  const state = (): { readonly size: typeof terminal.size; readonly typedAt: number } => ({
    size: terminal.size,
    typedAt: session.typedAt,
  })
  for await (const message of client.attach(selector, { service, client: id, state, signal: session.signal })) {
    await session.show(message)
  }
  return await session.close()
}

/** What happens between this terminal and that of the service. */
class AttachSession {
  readonly #context: CommandContext
  readonly #terminal: OwnTerminal
  readonly #modes = new TerminalModes()
  readonly #keys = new DetachKeys()
  readonly #over = new AbortController()
  #sender: InputSender | null = null
  #ending: Ending = { by: 'service', message: null }
  #holding: NodeJS.Timeout | undefined
  #service = ''
  #isAttached = false
  #isTty = true
  #run = 0
  #typedAt = 0
  /** Whether the cursor stands at the beginning of a line. */
  #isAtLineStart = true

  constructor(context: CommandContext, terminal: OwnTerminal) {
    this.#context = context
    this.#terminal = terminal
  }

  get run(): number {
    return this.#run
  }

  /** Milliseconds since the epoch; 0: never. */
  get typedAt(): number {
    return this.#typedAt
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  sendBy(send: ConstructorParameters<typeof InputSender>[0]['send']): void {
    this.#sender = new InputSender({
      send,
      onRefused: () => void this.#terminal.write(this.#terminal.isInteractive ? bell : ''),
      onError: (error) => this.end({ by: 'error', error }),
    })
  }

  end(ending: Ending): void {
    if (this.#over.signal.aborted) return
    this.#ending = ending
    this.#over.abort()
  }

  async show(message: AttachMessage): Promise<void> {
    switch (message.type) {
      case 'attached':
        if (!this.#isAttached) await this.#begin(message)
        return
      case 'output':
        return await this.#print(Buffer.from(message.data, 'base64'))
      case 'started':
        this.#run = message.run
        return await this.#say(message.text)
      case 'exited':
        // What it leaves behind must not spoil the terminal of its successor.
        if (message.run === this.#run) await this.#terminal.write(this.#modes.reset())
        return await this.#say(message.text)
      case 'missing':
        return await this.#say(`${message.bytes} bytes of its output are missing here`)
      case 'ended':
        this.end({ by: 'service', message })
        return
      default: // A newer daemon says something that this version does not know.
    }
  }

  /** Leaves the terminal as it was, says how it ended and gives the exit code. */
  async close(): Promise<number> {
    clearTimeout(this.#holding)
    const ending = this.#ending
    if (ending.by === 'detached') await this.#sender?.drained()
    if (this.#isAttached && this.#terminal.isInteractive) {
      await this.#terminal.write(`${this.#modes.reset()}${this.#isAtLineStart ? '' : '\r\n'}`)
    }
    this.#terminal.leave()
    const { output } = this.#context
    switch (ending.by) {
      case 'error':
        throw ending.error
      case 'signal':
        // Ctrl-C is the way out where it does not go to the service; nothing has failed.
        return ending.signal === 'SIGINT' ? exitCodes.ok : 128 + constants.signals[ending.signal]
      case 'detached':
        output.note(`Detached from ${this.#service}, which runs on`)
        return exitCodes.ok
      default: {
        const { message } = ending
        if (message !== null) {
          const why = message.reason === null ? '' : `: ${output.side.style.foreign(message.reason)}`
          output.note(`${this.#service} is ${message.state}${why}`)
        }
        return exitCodes.ok
      }
    }
  }

  async #begin({ service, run, tty, data }: AttachMessage & { readonly type: 'attached' }): Promise<void> {
    this.#isAttached = true
    this.#service = service
    this.#run = run
    this.#isTty = tty
    const { output } = this.#context
    if (this.#terminal.isInteractive) {
      const what = tty ? 'Attached to' : 'Lines that you type go to the input of'
      output.note(output.side.style.dim(`${what} ${service}; detach with Ctrl-P Ctrl-Q${tty ? '' : ', or Ctrl-C'}`))
    }
    this.#terminal.enter(tty ? 'keys' : 'lines')
    await this.#print(Buffer.from(data, 'base64'))
    if (this.signal.aborted) return
    this.#terminal.onInput((bytes) => this.#typed(bytes))
    this.#terminal.onEnd(() => this.end({ by: 'detached' }))
    this.#terminal.onResize(() => this.#sender?.add(Buffer.alloc(0)))
    this.#terminal.onClosed(() => this.end({ by: 'service', message: null }))
  }

  #typed(bytes: Buffer): void {
    if (this.signal.aborted) return
    if (!this.#terminal.isInteractive) return this.#send(bytes)
    if (!this.#isTty) {
      // The line that was begun stays here.
      const isOver = bytes.subarray(-2).equals(detachedByKeys)
      this.#isAtLineStart = !isOver // the terminal has shown the keys
      if (isOver) this.end({ by: 'detached' })
      else this.#send(bytes)
      return
    }
    clearTimeout(this.#holding)
    if (isTerminalReply(bytes)) return this.#sender?.add(bytes, true)
    const { pass, detach } = this.#keys.take(bytes, performance.now())
    this.#send(pass)
    if (detach) this.end({ by: 'detached' })
    else if (this.#keys.isHolding) {
      this.#holding = setTimeout(() => this.#send(this.#keys.release(performance.now())), holdMs)
    }
  }

  #send(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#typedAt = Date.now()
    this.#sender?.add(bytes)
  }

  async #print(bytes: Buffer): Promise<void> {
    const last = bytes.at(-1)
    if (last === undefined) return
    this.#isAtLineStart = last === 0x0a
    this.#modes.watch(bytes)
    await this.#terminal.write(bytes)
  }

  /** A line of locald itself among the output. */
  async #say(text: string): Promise<void> {
    const { side } = this.#context.output
    const start = this.#isAtLineStart || !this.#terminal.isInteractive ? '' : '\r\n'
    this.#isAtLineStart = true
    const end = this.#terminal.isInteractive ? '\r\n' : '\n'
    side.write(`${start}${side.style.dim(`${this.#service} ${side.style.foreign(text)}`)}${end}`)
    return Promise.resolve()
  }
}
