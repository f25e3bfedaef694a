// Commands that answer also when no daemon runs, and start none.
import { LocaldError } from '@locald/protocol'
import { NobodyListens } from '../client/request-errors.ts'
import type { ApiClient } from '../client/api-client.ts'
import type { CommandContext } from './command.ts'

/** The daemon's answer, or what `otherwise` makes of it when none runs. Rejects when it was given up: services may run. */
export async function askOrElse<T>(
  context: CommandContext,
  ask: (client: ApiClient) => Promise<T>,
  otherwise: () => Promise<T>,
): Promise<T> {
  const answer = await askIfThere(context, ask)
  if (answer !== null) return answer.value
  const { isDaemonGivenUp } = await import('../client/living-keeper.ts')
  if (isDaemonGivenUp(context.installation)) {
    throw new LocaldError('daemon_unreachable', 'The daemon is not running, but its keeper is')
  }
  return otherwise()
}

/** Null when nobody listens. */
export async function askIfThere<T>(
  context: CommandContext,
  ask: (client: ApiClient) => Promise<T>,
): Promise<{ readonly value: T } | null> {
  try {
    return { value: await ask(context.client()) }
  } catch (error) {
    if (error instanceof LocaldError && error.cause instanceof NobodyListens) return null
    throw error
  }
}
