// Whether the proxy answers at a port: found out by a request. A connection alone proves nothing, since the keeper listens.
import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { isErrno } from '../../lib/errno.ts'

export interface ProxyPort {
  readonly port: number
  readonly isSecure: boolean
  /** A name that is served, for TLS: without one the proxy ends every handshake at once, which is an answer too. */
  readonly host: string | null
}

/** A name that nobody can have, so that no service is disturbed. */
const nobody = 'locald-doctor.invalid'
const timeoutMs = 3000

/** Null when it does; else what happened instead. Which certificate it has is looked at elsewhere. */
export async function faultAt({ port, isSecure, host }: ProxyPort): Promise<string | null> {
  const options = {
    host: '127.0.0.1',
    port,
    agent: false,
    headers: { host: nobody },
    signal: AbortSignal.timeout(timeoutMs),
  }
  return await new Promise((resolve) => {
    const request = isSecure
      ? requestSecure({ ...options, rejectUnauthorized: false, ...(host === null ? {} : { servername: host }) })
      : requestPlain(options)
    request.once('response', (response) => {
      response.destroy()
      const isOurs = response.headers['x-locald-notice'] === 'unknown-host'
      resolve(isOurs ? null : `somebody else answers, with status ${response.statusCode ?? 0}`)
    })
    request.once('error', (error) => {
      const isRefusal = isSecure && host === null && isErrno(error, 'ECONNRESET')
      if (isRefusal) resolve(null)
      else resolve(error.name === 'AbortError' ? `no answer within ${timeoutMs / 1000} s` : error.message)
    })
    request.end()
  })
}
