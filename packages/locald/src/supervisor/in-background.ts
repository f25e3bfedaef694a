// For requests that have no answer to wait for.
import type { Logger } from '../lib/logger.ts'
import type { Records } from './records.ts'

/** Lets a request go on by itself. The keeper being gone is told by its link; anything else that goes wrong is logged. */
export type InBackground = (request: Promise<unknown>) => void

/** Of a supervisor: once it is closed, nothing is said any more. */
export function inBackgroundOf(records: Pick<Records, 'isClosed'>, logger: Logger): InBackground {
  return (request) => {
    request.catch((error: unknown) => {
      if (!records.isClosed) logger.log('warn', 'A request came to nothing', { error })
    })
  }
}
