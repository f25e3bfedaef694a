// What a service is told about the connection that a request came by. What the client says about it is never passed on.
import type { ClientFacts } from './client-side.ts'

/** The lines of one connection, made anew only for another authority: nearly all of its requests name the same. */
export class ForwardedLines {
  readonly #facts: ClientFacts
  #authority = ''
  #lines = ''

  constructor(facts: ClientFacts) {
    this.#facts = facts
  }

  for(authority: string): string {
    if (this.#authority !== authority) {
      this.#authority = authority
      this.#lines = forwardedLines(this.#facts, authority)
    }
    return this.#lines
  }
}

/** As lines of a head. The proxy is the first to know: nobody trusted stands before it. */
function forwardedLines({ isSecure, port, remoteAddress }: ClientFacts, authority: string): string {
  const protocol = isSecure ? 'https' : 'http'
  const address = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress
  const node = address.includes(':') ? `"[${address}]"` : address
  return [
    `X-Forwarded-For: ${address}`,
    `X-Forwarded-Proto: ${protocol}`,
    `X-Forwarded-Host: ${authority}`,
    `X-Forwarded-Port: ${port}`,
    `Forwarded: for=${node};host="${authority}";proto=${protocol}`,
    '',
  ].join('\r\n')
}
