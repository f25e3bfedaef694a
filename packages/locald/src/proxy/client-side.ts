// What an exchange needs of the client it serves, whichever version of HTTP that speaks.
import type { Duplex } from 'node:stream'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

/** The connection that a request came by. */
export interface ClientFacts {
  readonly isSecure: boolean
  /** Of the listener. */
  readonly port: number
  readonly remoteAddress: string
}

/** Where the rest of a request goes. */
export interface RequestReceiver {
  readonly head: RequestHead
  onRequestData(data: Buffer): void
  /** Trailers: name and value in turns. */
  onRequestEnd(trailers: readonly string[]): void
  /** The client is gone, or has broken its request off. Nothing follows. */
  onClientGone(): void
  /** It takes more of the answer. */
  onClientDrain(): void
}

export interface ClientSide {
  readonly facts: ClientFacts
  /** The rest of the request is wanted now: what is there already is given before this returns. */
  openBody(): void
  pauseBody(): void
  resumeBody(): void
  /** An informational answer. */
  inform(head: ResponseHead): void
  /** `isEarly`: the request has not been read whole, and will not be. */
  respond(head: ResponseHead, isEarly: boolean): void
  /** `data` may be overwritten after the next `flush`. */
  write(data: Buffer): void
  /** The answer is whole. Flushes. */
  end(trailers: readonly string[]): void
  /** Sends what was written. False: wait for `onClientDrain`. */
  flush(): boolean
  /** The answer cannot be completed: the client must not take it for whole. */
  fail(): void
  /** Answers with another protocol; from here on the stream is the caller's, with what the client has said in it already. */
  switchProtocols(head: ResponseHead): { readonly stream: Duplex; readonly first: Buffer | null }
}
