// `locald run` for a service that is a container: the command runs inside of the running one.
import { LocaldError } from '@locald/protocol'
import type { ServiceSnapshot } from '@locald/protocol'
import { engineAddress } from '../container/engine-address.ts'
import { interactiveExec } from '../container/interactive-exec.ts'
import type { CommandContext } from './command.ts'
import { OwnTerminal } from './own-terminal.ts'
import { askOrElse } from './without-daemon.ts'

export interface InsideOrder {
  readonly service: string
  readonly instance: number
  readonly argv: readonly string[]
  /** Besides what the container has. */
  readonly env: Readonly<Record<string, string>>
}

const interrupted = 130

/** Returns the command's exit code. Throws `not_running`. */
export async function runInside(context: CommandContext, order: InsideOrder): Promise<number> {
  const { service, argv, env } = order
  const container = await runningContainer(context, order)
  const engine = await engineAddress(context.env)
  using terminal = new OwnTerminal()
  const size = terminal.isInteractive ? terminal.size : null
  const exec = await interactiveExec({
    engine: engine.url === container.engine ? engine : { url: container.engine, certificates: null },
    container: container.id,
    argv,
    env,
    tty: size,
  }).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new LocaldError('internal', `Cannot run "${argv[0] ?? ''}" in "${service}": ${why}`, { cause })
  })
  if (size !== null) terminal.enter('keys')
  terminal.onInput((bytes) => exec.write(bytes))
  terminal.onEnd(() => exec.endInput())
  terminal.onResize(() => {
    if (terminal.size !== null) exec.resize(terminal.size)
  })
  exec.stdout.pipe(process.stdout, { end: false })
  exec.stderr.pipe(process.stderr, { end: false })
  const asked = new Promise<number>((resolve) => {
    const interrupts = context.onInterrupt(() => resolve(interrupted))
    void exec.ended.finally(() => interrupts[Symbol.dispose]()).catch(() => undefined)
  })
  const code = await Promise.race([exec.ended, asked])
  exec.abandon()
  return code
}

async function runningContainer(
  { client, selector, ...context }: CommandContext,
  { service, instance }: InsideOrder,
): Promise<NonNullable<ServiceSnapshot['container']>> {
  const status = await askOrElse(
    { client, selector, ...context },
    async (api) => await api.status(selector),
    async () => null,
  )
  const services = status !== null && 'services' in status ? status.services : []
  const container = services.find((one) => one.name === service && one.instance === instance)?.container
  if (container !== undefined) return container
  throw new LocaldError('not_running', `Cannot run a command in "${service}": "${service}" does not run`, {
    hint: `Start it: locald up ${service}`,
  })
}
