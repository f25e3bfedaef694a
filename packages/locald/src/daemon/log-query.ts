// Answers `logs`.
import { LocaldError } from '@locald/protocol'
import type { LogsRequest } from '../api/daemon-control.ts'
import type { LogQuery } from '../logs/log-reader.ts'
import { readLogs } from '../logs/read-logs.ts'
import { selectInstances } from '../plan/selection.ts'
import type { DaemonParts } from './daemon-parts.ts'
import type { Projects } from './projects.ts'

/** Each a `LogLine` as JSON with its line feed, many at a time. Following ends with the signal. */
export async function queryLogs(
  projects: Projects,
  onGrew: DaemonParts['onGrew'],
  request: LogsRequest,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const plan = await projects.planOf(request)
  const sources = selectInstances(plan, request.services, 'named').map((i) => projects.logSource(plan, i))
  const { tail, since, until, run, cursor } = request
  const query: LogQuery = {
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(run === undefined ? {} : { run }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(request.grep === undefined ? {} : { grep: parsePattern(request.grep) }),
  }
  return readLogs(sources, query, request.follow ? { signal, onGrew } : undefined)
}

function parsePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch (cause) {
    throw new LocaldError('usage', `Cannot use "${pattern}" as a pattern: it is not a regular expression`, { cause })
  }
}
