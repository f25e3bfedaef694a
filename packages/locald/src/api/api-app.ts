// The HTTP API: every route, what it reads of the request and what it answers.
import { Hono } from 'hono'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { apiPrefix, errorKinds, LocaldError } from '@locald/protocol'
import type { LocaldEvent, ProjectSelector, RestartRequest } from '@locald/protocol'
import type { Logger } from '../lib/logger.ts'
import { addAliasRoutes } from './alias-routes.ts'
import { parseAttachInput } from './attach-input-schema.ts'
import type { AttachRequest, DaemonControl, LogsRequest } from './daemon-control.ts'
import { errorBody } from './error-body.ts'
import { parseOrder } from './order-schema.ts'
import { addRegistryRoutes } from './registry-routes.ts'
import { eventStream, jsonLines, textStream } from './streams.ts'

/** Twice what Linux lets a program have of arguments and environment, which is the most that an order carries. */
const maxBodyBytes = 4 * 1024 * 1024

/** What the system says when it lets nobody write. */
const unwritable: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EROFS']

export function createApi(control: DaemonControl, logger: Logger): Hono {
  const app = new Hono()
  const v1 = app.basePath(apiPrefix)

  app.use(async (context, next) => {
    await next()
    context.res.headers.set('locald-version', control.version)
  })
  const tooLarge = new LocaldError(
    'request_invalid',
    `Cannot read the request: it is larger than ${maxBodyBytes} bytes`,
  )
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: (c) => answer(c, tooLarge, 413) }))

  v1.get('/server', (c) => c.json(control.server()))
  v1.post('/server/stop', async (c) => {
    control.stop(parseNow(await c.req.text()))
    return c.json({})
  })
  v1.post('/server/restart', async (c) => {
    control.restart(parseRestart(await readJson(c)))
    return c.json({})
  })
  v1.get('/status', async (c) => c.json(await control.status(selectorOf(c), c.req.query('all') === '1')))
  v1.post('/orders', async (c) => c.json(await control.order(parseOrder(await readJson(c)))))
  v1.get('/events', (c) => events(c, control))
  v1.get('/logs', (c) => logs(c, control))
  v1.get('/processes', async (c) =>
    c.json({ services: await control.processes(selectorOf(c), c.req.queries('service') ?? []) }),
  )
  v1.get('/attach', (c) => attach(c, control))
  v1.post('/attach/input', async (c) => c.json(await control.input(parseAttachInput(await readJson(c)))))
  v1.get('/env', async (c) => {
    return c.json(await control.env(selectorOf(c), required(c, 'service')))
  })
  v1.get('/ports', async (c) => c.json({ ports: await control.ports(selectorOf(c)) }))
  v1.get('/url', async (c) => c.json(await control.url(selectorOf(c), c.req.query('service'))))
  v1.get('/names', async (c) => c.json({ names: await control.names() }))
  v1.post('/trust', async (c) => {
    await control.trustChanged()
    return c.json({})
  })
  v1.get('/why', async (c) => c.json(await control.why(selectorOf(c), required(c, 'service'))))

  addRegistryRoutes(v1, control.registry)
  addAliasRoutes(v1, control.aliases)

  app.notFound((c) => {
    const { path, method } = c.req
    const methods = [...new Set(app.routes.filter((route) => route.path === path).map((route) => route.method))]
    if (methods.length === 0) {
      return answer(c, new LocaldError('request_invalid', `Cannot serve "${path}": no such route`), 404)
    }
    c.header('allow', methods.join(', '))
    const message = `Cannot ${method} "${path}": it takes ${methods.join(' and ')}`
    return answer(c, new LocaldError('request_invalid', message), 405)
  })
  app.onError((error, c) => {
    if (error instanceof LocaldError) return answer(c, error, errorKinds[error.code].status)
    logger.log('error', 'A request failed', { method: c.req.method, path: c.req.path, error })
    if ('code' in error && unwritable.includes(error.code)) {
      const refused = new LocaldError('directory_refused', `Cannot store anything: ${error.message}`, {
        cause: error,
        hint: 'Make room on the disk that holds the state of locald; what runs goes on',
      })
      return answer(c, refused, errorKinds.directory_refused.status)
    }
    const unexpected = new LocaldError('internal', `Cannot answer: ${error.message}`, {
      hint: 'This is a fault of locald; its log has the details: locald server status',
    })
    return answer(c, unexpected, errorKinds.internal.status)
  })
  return app
}

function answer(c: Context, error: LocaldError, status: number): Response {
  return Response.json(errorBody(error), { status, headers: c.res.headers })
}

function parseNow(text: string): boolean {
  const body: unknown = text === '' ? null : parseJson(text)
  return typeof body === 'object' && body !== null && 'now' in body && body.now === true
}

/** Undefined when it names no program: a client before there were any others. */
function parseRestart(body: unknown): RestartRequest | undefined {
  if (typeof body !== 'object' || body === null || !('program' in body) || !('version' in body)) return undefined
  const { program, version } = body
  return typeof program === 'string' && typeof version === 'string' ? { program, version } : undefined
}

async function events(c: Context, control: DaemonControl): Promise<Response> {
  const id = await control.projectId(selectorOf(c))
  const after = numberOf(c, 'after') ?? numberIn('Last-Event-ID', c.req.header('last-event-id'))
  const foreground = c.req.query('foreground')
  const isWanted = (event: LocaldEvent): boolean => id === null || !('project' in event) || event.project === id
  const body = eventStream((sink) => {
    const send = (event: LocaldEvent): void => {
      if (isWanted(event)) sink.send({ id: event.seq, data: event })
    }
    const { missed, stop } = control.subscribe(after ?? null, send)
    if (missed === null) {
      const { type, seq, projects } = control.snapshot()
      sink.send({ id: seq, data: { type, seq, projects: projects.filter((p) => id === null || p.id === id) } })
    } else missed.forEach(send)
    if (c.req.query('follow') === '0') {
      stop()
      return null
    }
    const release = foreground === undefined ? null : control.holdForeground(foreground)
    return () => {
      stop()
      release?.()
    }
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } })
}

async function logs(c: Context, control: DaemonControl): Promise<Response> {
  const abort = new AbortController()
  const lines = await control.logs(logsRequestOf(c), abort.signal)
  return new Response(await textStream(lines, abort), { headers: { 'content-type': 'application/x-ndjson' } })
}

async function attach(c: Context, control: DaemonControl): Promise<Response> {
  const abort = new AbortController()
  const [cols, rows] = [numberOf(c, 'cols'), numberOf(c, 'rows')]
  const cursor = c.req.query('cursor')
  const request: AttachRequest = {
    ...selectorOf(c),
    service: required(c, 'service'),
    client: required(c, 'client'),
    size: cols === undefined || rows === undefined ? null : { cols, rows },
    typedAt: numberOf(c, 'typed_at') ?? 0,
    ...(cursor === undefined ? {} : { cursor }),
  }
  const messages = await control.attach(request, abort.signal)
  return new Response(await textStream(jsonLines(messages), abort), {
    headers: { 'content-type': 'application/x-ndjson' },
  })
}

function logsRequestOf(c: Context): LogsRequest {
  const [since, until] = ['since', 'until'].map((name) => numberOf(c, name))
  const tail = wholeNumberOf(c, 'tail', 0)
  const run = wholeNumberOf(c, 'run', Number.MIN_SAFE_INTEGER)
  const [grep, cursor] = ['grep', 'cursor'].map((name) => c.req.query(name))
  return {
    ...selectorOf(c),
    services: c.req.queries('service') ?? [],
    follow: c.req.query('follow') === '1',
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(run === undefined ? {} : { run }),
    ...(grep === undefined ? {} : { grep }),
    ...(cursor === undefined ? {} : { cursor }),
  }
}

function selectorOf(c: Context): ProjectSelector {
  const [dir, file] = [c.req.query('dir'), c.req.query('file')]
  for (const [name, path] of Object.entries({ dir, file })) {
    if (path !== undefined && (!path.startsWith('/') || path.includes('\0'))) {
      throw new LocaldError('request_invalid', `Cannot use "${path}" as ${name}: it is not an absolute path`)
    }
  }
  return { ...(dir === undefined ? {} : { dir }), ...(file === undefined ? {} : { file }) }
}

function required(c: Context, name: string): string {
  const value = c.req.query(name)
  if (value === undefined || value === '') throw new LocaldError('request_invalid', `Cannot answer without "${name}"`)
  return value
}

function numberOf(c: Context, name: string): number | undefined {
  return numberIn(name, c.req.query(name))
}

function wholeNumberOf(c: Context, name: string, least: number): number | undefined {
  const value = numberOf(c, name)
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return value
  throw new LocaldError(
    'request_invalid',
    `Cannot use "${value}" as ${name}: it is not a whole number that makes sense`,
  )
}

function numberIn(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new LocaldError('request_invalid', `Cannot use "${text}" as ${name}: it is not a number`)
}

async function readJson(c: Context): Promise<unknown> {
  return parseJson(await c.req.text())
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LocaldError('request_invalid', 'Cannot read the request: its body is not JSON', { cause })
  }
}
