// Commands that answer also when no daemon runs, and start none.
import { LocaldError } from '@locald/protocol'
import { NobodyListens } from '../client/request-errors.ts'
import type { ApiClient } from '../client/api-client.ts'
import type { CommandContext } from './command.ts'

/** The daemon's answer, or what `otherwise` makes of it when none runs. */
export async function askOrElse<T>(
  context: CommandContext,
  ask: (client: ApiClient) => Promise<T>,
  otherwise: () => Promise<T>,
): Promise<T> {
  try {
    return await ask(context.client())
  } catch (error) {
    if (error instanceof LocaldError && error.cause instanceof NobodyListens) return otherwise()
    throw error
  }
}
