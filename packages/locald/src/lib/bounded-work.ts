// Ends work that would hold up this thread: JavaScript has no other way to leave a regular expression that tries everything.
import { createContext, Script } from 'node:vm'
import type { Context } from 'node:vm'

/** The work was ended; what it has changed is half done and of no use any more. */
export class TookTooLong extends Error {
  override readonly name = 'TookTooLong'
}

const timeoutCode = 'ERR_SCRIPT_EXECUTION_TIMEOUT'

interface Bench {
  readonly context: Context
  readonly script: Script
}

let bench: Bench | undefined

/**
 * Does synchronous work, and returns what it returns or throws what it throws. Throws `TookTooLong` after `ms`. Costs a tenth of a
 * millisecond, so it is for work that comes in pieces larger than that.
 */
export function boundedWork<T>(ms: number, work: () => T): T {
  bench ??= { context: createContext({ work: null }), script: new Script('work()') }
  const { context, script } = bench
  let result: { readonly value: T } | null = null
  context['work'] = () => {
    result = { value: work() }
  }
  try {
    script.runInContext(context, { timeout: ms })
  } catch (error) {
    if (isTimeout(error)) throw new TookTooLong(`The work took more than ${ms} ms`, { cause: error })
    throw error
  } finally {
    context['work'] = null
  }
  return resultOf(result)
}

function resultOf<T>(result: { readonly value: T } | null): T {
  if (result === null) throw new Error('The work has not been done')
  return result.value
}

function isTimeout(error: unknown): boolean {
  // It is an Error of the other context.
  return typeof error === 'object' && error !== null && 'code' in error && error.code === timeoutCode
}
