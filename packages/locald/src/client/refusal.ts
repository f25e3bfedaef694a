// What a refused request is thrown as.
import { errorKinds, LocaldError } from '@locald/protocol'
import type { ErrorBody } from '@locald/protocol'

export interface RefusedAnswer {
  readonly status: number
  readonly text: string
  /** The daemon's, if it told. */
  readonly version: string | undefined
}

/** The error that the daemon answered with. An answer that is not ours comes from a daemon without this version of the API. */
export function refusal({ status, text, version }: RefusedAnswer): LocaldError {
  const body = parsedErrorBody(text)
  // Its own 404s are about a project, a service or a file: any other says that there is no such route.
  const isUnknownRoute = status === 404 && body?.error.code === 'request_invalid'
  if (body === null || isUnknownRoute) {
    const known = version === undefined ? 'The daemon' : `The daemon (version ${version})`
    return new LocaldError('version_mismatch', `${known} does not speak version 1 of the API`, {
      cause: new Error(`Answer with status ${status}: ${text.slice(0, 200)}`),
      hint: 'Restart it with this version: locald server restart',
    })
  }
  const { code, message, hint, diagnostics } = body.error
  return new LocaldError(code in errorKinds ? code : 'internal', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(diagnostics === undefined ? {} : { diagnostics }),
  })
}

function parsedErrorBody(text: string): ErrorBody | null {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || !('error' in body)) return null
    const { error } = body
    if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return null
    return typeof error.code === 'string' && typeof error.message === 'string' ? (body as ErrorBody) : null
  } catch {
    return null // Not JSON, so not an error of ours.
  }
}
