// What the proxy says of requests that it sends to no service.
import { plainNotice } from './notice.ts'
import type { Notice } from './notice.ts'

/** No service has this name. Tells no name that is in use: whoever asks may be a page that made the name point here. Pure. */
export function unknownHostNotice(host: string): Notice {
  return plainNotice({
    kind: 'unknown-host',
    status: 421,
    tone: 'calm',
    title: 'Nothing is served by this name',
    detail: host === '' ? 'The request names no host' : `No service that is up has the name ${host}`,
    steps: [
      { text: 'See which addresses there are', command: 'locald status' },
      { text: 'Bring the project up, in its directory', command: 'locald up' },
    ],
    data: { host },
  })
}

/** A service sends requests on to a name that leads back to it. Pure. */
export function loopNotice(service: string, project: string): Notice {
  return plainNotice({
    kind: 'loop',
    status: 508,
    tone: 'bad',
    title: 'This request goes round in a circle',
    detail: `${service} sends it on to an address that leads back to ${service}`,
    steps: [
      {
        text: 'Where it forwards requests (such as "server.proxy" of Vite), set changeOrigin: true, so that they carry the name of their target',
        command: null,
      },
      { text: 'Or forward to the direct address of the service that is meant', command: 'locald ports' },
    ],
    project,
    data: { service, project },
  })
}

/** A request that is malformed, ambiguous or too large. `reason`: a sentence without a full stop. Pure. */
export function refusedNotice(status: number, reason: string): Notice {
  return plainNotice({
    kind: 'request-refused',
    status,
    tone: 'bad',
    title: 'This request was refused',
    detail: reason,
    data: { reason },
  })
}
