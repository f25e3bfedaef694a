// Runs all checks at once. One that fails or does not end is a finding as well: the doctor always answers.
import type { Finding, FindingId } from '@locald/protocol'
import { fault, warning } from './verdict.ts'
import type { Verdict } from './verdict.ts'

export interface Check {
  readonly id: FindingId
  /** Several verdicts are several findings of one id; none says nothing. */
  readonly look: () => Promise<Verdict | readonly Verdict[]> | Verdict | readonly Verdict[]
}

/** In the order of the checks; after `timeoutMs` at the latest. */
export async function examine(checks: readonly Check[], timeoutMs: number): Promise<readonly Finding[]> {
  const found = await Promise.all(checks.map(async (check) => await verdictsOf(check, timeoutMs)))
  return found.flat()
}

async function verdictsOf({ id, look }: Check, timeoutMs: number): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => {
      const explanation = 'Something that it asks does not answer; this finding says no more than that.'
      resolve(warning(`Could not be found out within ${timeoutMs / 1000} s`, { explanation }))
    }, timeoutMs)
  })
  try {
    const verdicts = await Promise.race([Promise.resolve().then(look), late])
    return [verdicts].flat().map((verdict) => ({ id, ...verdict }))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [{ id, ...fault(`Could not be found out: ${reason}`, { explanation: 'The check itself failed.' }) }]
  } finally {
    clearTimeout(timer)
  }
}
