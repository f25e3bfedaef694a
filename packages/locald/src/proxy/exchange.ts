// One request and its answer: finds the service, waits for it where it must, sends the request on, again where that is safe,
// and gives the client what comes back.
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { chunkOf, fieldLines, lastChunk } from './chunked-scanner.ts'
import type { ClientSide, RequestReceiver } from './client-side.ts'
import { hopsField } from './field-roles.ts'
import type { InstanceLoad } from './instance-load.ts'
import { mostHops, pageGraceMs, redialMs, refusedMs, endedWebSocketMs, slowDialMs } from './limits.ts'
import { answerHead, headersOf, headOf, isNavigation } from './local-answer.ts'
import type { LocalAnswer, ServiceCause, ServiceSituation, Situation } from './local-answer.ts'
import { isFromElsewhere, mayStart } from './may-start.ts'
import type { RequestOrigin } from './may-start.ts'
import { chunked, untilClose } from './message-body.ts'
import { idleEvent } from './pages/notice-events.ts'
import type { RequestHead } from './request-head.ts'
import { eventsFields, reservedFor, reservedPrefix } from './reserved-paths.ts'
import type { ResponseHead } from './response-head.ts'
import { routeOf, ruleFor, withoutPrefix } from './route-table.ts'
import type { HostRoute, PathRule, RouteTable, ServiceState, ServiceTarget } from './route-table.ts'
import type { HeldRequest, ServiceGate } from './service-gate.ts'
import { tunnel } from './tunnel.ts'
import type { ResponseReceiver, UpstreamConnection, UpstreamFailure } from './upstream-connection.ts'

/** What exchanges share. */
export interface ExchangeContext {
  readonly table: RouteTable
  gateOf(service: string): ServiceGate | null
  /** False: too many wait already. */
  mayHold(): boolean
  /** Counts a request that is sent to a service, until `leave`. False: too many are already. */
  enter(): boolean
  leave(): void
  /** A request wants a service that is idle. */
  want(gate: ServiceGate): void
  answer(situation: Situation, head: RequestHead | null): LocalAnswer
  /** Writes events about a service, or its files, until what it returns is called. */
  openEvents(gate: ServiceGate, type: 'page-events' | 'reload-events', write: (text: string) => void): () => void
  /** Describes the service first; the answer is given later. */
  answerForService(about: Omit<ServiceSituation, 'type' | 'description'>, head: RequestHead): Promise<LocalAnswer>
}

/** Methods that may be carried out twice to no other effect than once. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
/** Used connections that may turn out to be closed under a request, one after the other. */
const mostClosedAttempts = 3
/** New connections that may break under a request before it is given up: it might be the request that breaks them. */
const mostBrokenAttempts = 2
const webSocketGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const eventsHead = answerHead(200, eventsFields, untilClose)

type Phase = 'waiting' | 'sent' | 'answering' | 'over'

export class Exchange implements RequestReceiver, ResponseReceiver, HeldRequest {
  readonly head: RequestHead
  readonly method: string
  readonly #context: ExchangeContext
  readonly #client: ClientSide
  readonly #forwarded: string
  #phase: Phase = 'waiting'
  #rule: PathRule | null = null
  #gate: ServiceGate | null = null
  #load: InstanceLoad | null = null
  #isCounted = false
  #upstream: UpstreamConnection | null = null
  #cancelDial: (() => void) | null = null
  /** By `performance.now()`; 0: it is not. */
  #dialledAt = 0
  #isRequestDone: boolean
  #text = ''
  #closedAttempts = 0
  #brokenAttempts = 0
  /** To a service, once at least. */
  #wasSent = false
  #startedAt = 0
  #refusedSince = 0
  #timers: NodeJS.Timeout[] | null = null
  #closeEvents: (() => void) | null = null
  #isBlocked = false
  /** The last event that came meanwhile. */
  #missed: string | null = null

  /** `forwarded`: what the service is told of the client's connection, as lines of a head. */
  constructor(context: ExchangeContext, client: ClientSide, head: RequestHead, forwarded: string) {
    this.#context = context
    this.#client = client
    this.head = head
    this.method = head.method
    this.#forwarded = forwarded
    this.#isRequestDone = head.bodyLength === 0
  }

  /** May answer before it returns. */
  start(): void {
    const { head } = this
    const route = routeOf(this.#context.table, head.host)
    if (route === undefined) return this.#answerWith({ type: 'unknown-host', host: head.host })
    if (route.redirectTo !== null && !this.#client.facts.isSecure && head.upgrade === null) {
      return this.#redirect(route.redirectTo)
    }
    if (head.target.startsWith(reservedPrefix)) return this.#serveReserved(route)
    this.#rule = ruleFor(route, head.target)
    const gate = this.#rule === null ? null : this.#context.gateOf(this.#rule.service)
    if (gate === null) return this.#answerWith({ type: 'unknown-host', host: head.host })
    this.#gate = gate
    const { key } = gate.target
    if (head.hops.length > 0 && isLoop(head.hops, key.toLowerCase())) {
      return this.#answerWith({ type: 'loop', target: gate.target })
    }
    this.#enter(gate)
  }

  // The way in.

  #enter(gate: ServiceGate): void {
    const load = gate.choose()
    if (load !== null) return this.onAdmitted(load)
    this.#hold(gate)
  }

  #hold(gate: ServiceGate): void {
    if (!this.#context.mayHold()) {
      return this.#answerWith({ type: 'refused', status: 503, reason: 'Too many requests wait for services to start' })
    }
    if (this.#startedAt === 0) this.#startWaiting(gate)
    gate.hold(this)
    this.onServiceState(gate.target.state)
  }

  #startWaiting(gate: ServiceGate, since = performance.now()): void {
    this.#startedAt = since
    const { holdMs } = gate.target
    const waited = performance.now() - since
    this.#timers = [setTimeout(() => this.#giveUp('timeout'), holdMs - waited)]
    // What was sent before waits until it can be sent again: a page would take its place.
    if (!this.#wasSent && isNavigation(this.head))
      this.#timers.push(setTimeout(() => this.#showPage(gate), Math.min(pageGraceMs, holdMs) - waited))
  }

  #showPage(gate: ServiceGate): void {
    this.#giveUp(gate.choose() === null ? 'state' : 'refused')
  }

  onServiceState(state: ServiceState): void {
    if (state === 'failed' || state === 'down') this.#giveUp('state')
    else if (state === 'idle' && this.#gate !== null) this.#wake(this.#gate)
  }

  /** Also when it ends unused under a request that came while it was drained. */
  #wake(gate: ServiceGate): void {
    if (mayStart(this.#origin)) this.#context.want(gate)
    else this.#giveUp('other-site')
  }

  get #origin(): RequestOrigin {
    return { host: this.head.host, headers: headersOf(this.head), table: this.#context.table }
  }

  onAdmitted(load: InstanceLoad): void {
    if (!this.#count(load)) {
      this.#release()
      return this.#answerWith({ type: 'refused', status: 503, reason: 'Too many requests are under way' })
    }
    const used = this.#mayUseAgain ? load.pool.take() : null
    if (used !== null) return this.#send(used)
    this.#dial(load)
  }

  #dial(load: InstanceLoad): void {
    this.#dialledAt = performance.now()
    this.#gate?.dial(this)
    const cancel = load.pool.connect((connection) => {
      this.#cancelDial = null
      this.#dialledAt = 0
      this.#gate?.letGo(this)
      if (connection === null) this.#onRefused()
      else this.#send(connection)
    })
    // It may be there already.
    if (this.#dialledAt !== 0) this.#cancelDial = cancel
  }

  /** A service that is too busy to accept it lets a connection wait for minutes. */
  onStillDialling(now: number): void {
    const gate = this.#gate
    const isSlow = this.#dialledAt !== 0 && now - this.#dialledAt >= slowDialMs
    if (isSlow && gate !== null && this.#startedAt === 0) this.#startWaiting(gate, this.#dialledAt)
  }

  /** It counts as up and accepts no connection: perhaps it has just ended, and the daemon is about to say so. */
  #onRefused(): void {
    const gate = this.#gate
    this.#uncount()
    if (gate === null) return
    const now = performance.now()
    if (this.#refusedSince === 0) this.#refusedSince = now
    if (this.#startedAt === 0) this.#startWaiting(gate)
    if (gate.choose() !== null && now - this.#refusedSince >= refusedMs) return this.#giveUp('refused')
    this.#timers?.push(
      setTimeout(() => {
        this.#enter(gate)
      }, redialMs),
    )
  }

  #giveUp(cause: ServiceCause): void {
    const gate = this.#gate
    if (this.#phase !== 'waiting' || gate === null) return
    this.#release()
    this.#answerForService(gate.target, cause)
  }

  // The request.

  get #mayUseAgain(): boolean {
    return this.#isReplayable && this.#closedAttempts < mostClosedAttempts
  }

  get #isReplayable(): boolean {
    return this.head.bodyLength === 0 && idempotent.has(this.method)
  }

  #send(connection: UpstreamConnection): void {
    this.#clearTimers()
    this.#phase = 'sent'
    this.#wasSent = true
    this.#upstream = connection
    connection.begin(this)
    // Whoever does not understand chunks may take the rest of the body for another request.
    if (this.head.bodyLength === chunked) connection.isLast = true
    if (this.#text === '') this.#text = this.#requestText()
    if (this.#isRequestDone) {
      connection.endRequest()
      connection.write(this.#text)
      return
    }
    connection.socket.cork()
    connection.write(this.#text)
    this.#client.openBody()
    connection.socket.uncork()
  }

  #requestText(): string {
    const { head } = this
    const rule = this.#rule
    const target = rule === null ? head.target : withoutPrefix(rule, head.target)
    const prefix = rule !== null && rule.stripPrefix ? `X-Forwarded-Prefix: ${rule.prefix}\r\n` : ''
    const hops = [...head.hops, this.#gate?.target.key ?? ''].join(',')
    return `${this.#methodLine(target)}Host: ${head.authority}\r\n${fieldLines(head.fields)}${this.#forwarded}${prefix}${hopsField}: ${hops}\r\n${framingLines(head)}\r\n`
  }

  #methodLine(target: string): string {
    return `${this.method} ${target} HTTP/1.1\r\n`
  }

  onRequestData(data: Buffer): void {
    const upstream = this.#upstream
    if (upstream === null) return
    const isTaken = upstream.write(this.head.bodyLength === chunked ? chunkOf(data) : data)
    if (!isTaken) this.#client.pauseBody()
  }

  onRequestEnd(trailers: readonly string[]): void {
    this.#isRequestDone = true
    if (this.head.bodyLength === chunked) this.#upstream?.write(lastChunk(trailers))
    this.#upstream?.endRequest()
  }

  onUpstreamDrain(): void {
    this.#client.resumeBody()
  }

  onClientGone(): void {
    if (this.#phase === 'over') return
    this.#upstream?.destroy()
    this.#release()
    this.#phase = 'over'
  }

  // The answer.

  onInformation(head: ResponseHead): void {
    if (this.head.isHttp11) this.#client.inform(head)
  }

  onResponse(head: ResponseHead): void {
    this.#phase = 'answering'
    // It may go on for hours: nobody waits for its end.
    if (head.isEventStream) this.#uncountLoad()
    this.#client.respond(head, !this.#isRequestDone)
  }

  onResponseData(data: Buffer): void {
    this.#client.write(data)
  }

  onResponsePause(): void {
    if (this.#phase === 'answering' && !this.#client.flush()) this.#upstream?.pause()
  }

  onClientDrain(): void {
    this.#isBlocked = false
    this.#upstream?.resume()
    const missed = this.#missed
    this.#missed = null
    if (missed !== null && this.#closeEvents !== null) this.#writeEvent(missed)
  }

  onResponseEnd(trailers: readonly string[]): void {
    this.#upstream = null
    this.#release()
    this.#phase = 'over'
    this.#client.end(trailers)
  }

  onUpgrade(head: ResponseHead, socket: Duplex, first: Buffer): void {
    this.#upstream = null
    if (!this.#isWantedUpgrade(head)) {
      socket.on('error', () => undefined).destroy()
      return this.#onTrouble('malformed')
    }
    this.#phase = 'over'
    this.#uncountLoad()
    const client = this.#client.switchProtocols(head)
    if (first.length > 0) client.stream.write(first)
    if (client.first !== null) socket.write(client.first)
    // No side of a WebSocket ends before the other one; of other protocols it may.
    const silentMs = head.upgrade?.toLowerCase() === 'websocket' ? endedWebSocketMs : null
    tunnel(client.stream, socket, silentMs, () => this.#uncount())
  }

  #isWantedUpgrade(head: ResponseHead): boolean {
    const { upgrade, webSocketKey } = this.head
    if (upgrade === null || head.upgrade?.toLowerCase() !== upgrade.toLowerCase()) return false
    return webSocketKey === null || head.webSocketAccept === acceptOf(webSocketKey)
  }

  onUpstreamFailure({ trouble, hadBytes }: UpstreamFailure): void {
    const wasUsed = (this.#upstream?.uses ?? 0) > 1
    this.#upstream = null
    if (this.#phase === 'answering') {
      this.#release()
      this.#phase = 'over'
      return this.#client.fail()
    }
    if (!hadBytes && this.#isReplayable && this.#mayTryAgain(wasUsed) && this.#gate !== null) {
      this.#uncount()
      this.#phase = 'waiting'
      return this.#enter(this.#gate)
    }
    this.#onTrouble(trouble)
  }

  /** A connection that had been used may have been closed before the request came; one that was new, hardly. */
  #mayTryAgain(wasUsed: boolean): boolean {
    if (wasUsed) this.#closedAttempts += 1
    else this.#brokenAttempts += 1
    return this.#brokenAttempts < (this.#closedAttempts < mostClosedAttempts ? mostBrokenAttempts : 1)
  }

  #onTrouble(trouble: UpstreamFailure['trouble']): void {
    const target = this.#gate?.target
    this.#release()
    if (target !== undefined) this.#answerForService(target, trouble)
  }

  // Answers of the proxy's own.

  #serveReserved(route: HostRoute): void {
    // They are for pages of this name: another site would only make the daemon work.
    if (isFromElsewhere(this.#origin)) {
      return this.#answerWith({ type: 'refused', status: 403, reason: 'It comes from a page of another site' })
    }
    const reserved = this.method === 'GET' ? reservedFor(this.head.target) : null
    if (reserved?.type === 'answer') return this.#answer(reserved.answer)
    const rule = reserved === null ? null : ruleFor(route, reserved.path)
    const gate = rule === null ? null : this.#context.gateOf(rule.service)
    if (reserved === null || gate === null) {
      const reason = `Nothing is there: locald keeps ${reservedPrefix} for itself`
      return this.#answerWith({ type: 'refused', status: 404, reason })
    }
    this.#phase = 'answering'
    this.#client.respond(eventsHead, !this.#isRequestDone)
    this.#client.flush()
    this.#closeEvents = this.#context.openEvents(gate, reserved.type, (text) => this.#writeEvent(text))
  }

  /** Whoever does not read misses some: each tells all that those before it told. */
  #writeEvent(text: string): void {
    if (this.#isBlocked) {
      if (text !== idleEvent) this.#missed = text
      return
    }
    this.#client.write(Buffer.from(text))
    this.#isBlocked = !this.#client.flush()
  }

  #redirect(port: number): void {
    const { authority, host, target } = this.head
    const name = authority.startsWith('[') ? host : authority.replace(/:[0-9]+$/u, '')
    const location = `https://${name}${port === 443 ? '' : `:${port}`}${target === '*' ? '/' : target}`
    this.#answer({ status: 308, fields: ['location', location, 'cache-control', 'no-store'], body: Buffer.alloc(0) })
  }

  #answerWith(situation: Situation): void {
    this.#answer(this.#context.answer(situation, this.head))
  }

  #answerForService(target: ServiceTarget, cause: ServiceCause): void {
    this.#phase = 'answering'
    this.#context.answerForService({ target, cause, wasSent: this.#wasSent }, this.head).then(
      (answer) => {
        if (this.#phase === 'answering') this.#answer(answer)
      },
      () => {
        if (this.#phase === 'answering') this.#client.fail()
      },
    )
  }

  #answer(answer: LocalAnswer): void {
    this.#phase = 'over'
    const head = headOf(answer, this.method)
    this.#client.respond(head, !this.#isRequestDone)
    if (head.bodyLength > 0) this.#client.write(answer.body)
    this.#client.end([])
  }

  // What is held for it.

  /** False: there are too many. */
  #count(load: InstanceLoad): boolean {
    const gate = this.#gate
    if (gate === null || !this.#context.enter()) return false
    this.#isCounted = true
    this.#load = load
    gate.enter()
    load.enter()
    return true
  }

  #uncountLoad(): void {
    const load = this.#load
    this.#load = null
    load?.leave()
  }

  #uncount(): void {
    const gate = this.#gate
    if (!this.#isCounted || gate === null) return
    this.#isCounted = false
    this.#context.leave()
    gate.leave()
    this.#uncountLoad()
  }

  #clearTimers(): void {
    if (this.#timers === null) return
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = null
    this.#startedAt = 0
    this.#refusedSince = 0
  }

  #release(): void {
    this.#clearTimers()
    this.#cancelDial?.()
    this.#cancelDial = null
    this.#closeEvents?.()
    this.#closeEvents = null
    this.#gate?.letGo(this)
    this.#uncount()
  }
}

function isLoop(hops: readonly string[], key: string): boolean {
  return hops.length >= 4 * mostHops || hops.filter((hop) => hop === key).length >= mostHops
}

/** How the request to the service is framed, which may differ from how it came. */
function framingLines(head: RequestHead): string {
  const { bodyLength, method, upgrade } = head
  const length =
    bodyLength > 0 || (bodyLength === 0 && bodyMethods.has(method))
      ? `Content-Length: ${bodyLength}\r\n`
      : bodyLength === chunked
        ? 'Transfer-Encoding: chunked\r\n'
        : ''
  if (upgrade !== null) return `${length}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
  const close = bodyLength === chunked ? 'close' : ''
  if (head.acceptsTrailers) return `${length}TE: trailers\r\nConnection: TE${close && `, ${close}`}\r\n`
  return close === '' ? length : `${length}Connection: ${close}\r\n`
}

/** Without a length, some servers wait for a body of these. */
const bodyMethods: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${webSocketGuid}`).digest('base64')
}
