// Serves the files of one site, to the proxy alone: requests come to it as to any other service, but by no port.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, realpath, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import send from 'send'
import { duplexPair } from '../lib/duplex-pair.ts'
import { watchFiles } from '../lib/watch-files.ts'
import type { Site } from './route-table.ts'
import { findSiteFile } from './site-files.ts'
import type { SiteFile } from './site-files.ts'
import type { Dial } from './upstream-pool.ts'

/** Served by the proxy below its reserved path; opens a stream of events that says when to reload. */
export const reloadScript = `new EventSource('/.locald/reload?path=' + encodeURIComponent(location.pathname)).addEventListener('reload', () => location.reload())\n`
const reloadTag = '<script src="/.locald/reload.js" async></script>'
const mostInjectedBytes = 8 * 1024 * 1024

export class SiteServer {
  readonly #site: Site
  readonly #server: Server
  readonly #onChange = new Set<() => void>()
  #watch: Disposable | null = null

  constructor(site: Site) {
    this.#site = site
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  /** Whether it serves this one. */
  isOf(site: Site): boolean {
    return this.#site.directory === site.directory && this.#site.liveReload === site.liveReload
  }

  /** A connection to it. */
  readonly dial: Dial = (done) => {
    const [own, theirs] = duplexPair()
    this.#server.emit('connection', theirs)
    done({ stream: own, reader: null })
    return () => own.destroy()
  }

  /** Calls back after each change of a file, until what it returns is called. Watches only as long as somebody wants to know. */
  onChange(tell: () => void): () => void {
    this.#onChange.add(tell)
    this.#watch ??= watchFiles({
      root: this.#site.directory,
      patterns: ['**'],
      excluded: [],
      quietMs: 50,
      onChange: () => {
        for (const one of this.#onChange) one()
      },
      onError: () => undefined, // pages are then reloaded by hand
    })
    return () => {
      this.#onChange.delete(tell)
      if (this.#onChange.size === 0) this.close()
    }
  }

  close(): void {
    this.#watch?.[Symbol.dispose]()
    this.#watch = null
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    const [path = '/', ...query] = (request.url ?? '/').split('?')
    const file = await findSiteFile(this.#site.directory, path)
    if (file?.type === 'directory') return this.#redirect(response, file, query.join('?'))
    if (file === null) return await this.#notFound(request, response)
    if (await this.#isInjected(file.path)) return await this.#sendInjected(request, response, file.path)
    await this.#sendFile(request, response, file.path)
  }

  async #sendFile(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const root = await realpath(this.#site.directory)
    response.setHeader('cache-control', 'no-cache')
    send(request, encodeURI(`/${path}`), { root, dotfiles: 'allow', index: false, cacheControl: false })
      .on('error', (error: { readonly status?: number }) => {
        response.statusCode = error.status ?? 500
        response.end()
      })
      .pipe(response)
  }

  /** Relative, so that it holds below a prefix that the proxy took away too. */
  #redirect(response: ServerResponse, { name }: SiteFile & { readonly type: 'directory' }, query: string): void {
    const location = `./${encodeURIComponent(name)}/${query === '' ? '' : `?${query}`}`
    response.writeHead(308, { location, 'cache-control': 'no-cache' }).end()
  }

  async #notFound(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const page = await findSiteFile(this.#site.directory, '/404.html')
    if (page?.type === 'file') return await this.#sendNotFoundPage(request, response, page.path)
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' })
    response.end(request.method === 'HEAD' ? undefined : 'No such file\n')
  }

  async #sendNotFoundPage(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const file = join(this.#site.directory, path)
    if (await this.#isInjected(path)) {
      return sendPage(request, response, { status: 404, page: withReload(await readFile(file)), fields: {} })
    }
    response.writeHead(404, pageFields)
    if (request.method === 'HEAD') response.end()
    else await pipeline(createReadStream(file), response)
  }

  /** Whether it is a page that gets the script: very large ones are sent as the files that they are. */
  async #isInjected(path: string): Promise<boolean> {
    if (!this.#site.liveReload || !/\.html?$/iu.test(path)) return false
    return (await stat(join(this.#site.directory, path))).size <= mostInjectedBytes
  }

  /** A page that reloads itself. */
  async #sendInjected(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const page = withReload(await readFile(join(this.#site.directory, path)))
    const etag = `"${createHash('sha1').update(page).digest('base64url')}"`
    if (hasTag(request.headers['if-none-match'], etag)) {
      response.writeHead(304, { etag, 'cache-control': 'no-cache' }).end()
      return
    }
    sendPage(request, response, { status: 200, page, fields: { etag } })
  }
}

const pageFields = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' }

interface Page {
  readonly status: number
  readonly page: Buffer
  readonly fields: Readonly<Record<string, string>>
}

function sendPage({ method }: IncomingMessage, response: ServerResponse, { status, page, fields }: Page): void {
  response.writeHead(status, { ...pageFields, ...fields, 'content-length': page.length })
  response.end(method === 'HEAD' ? undefined : page)
}

/** Whether a list of tags, which may be marked as weak, has this one. */
function hasTag(list: string | undefined, etag: string): boolean {
  if (list === undefined) return false
  return list.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//u, '') === etag)
}

/** Before the end of the body, or at the end of the page. Bytes stay what they are, whatever their encoding. */
function withReload(page: Buffer): Buffer {
  const text = page.toString('latin1')
  const end = text.toLowerCase().lastIndexOf('</body')
  const at = end === -1 ? text.length : end
  return Buffer.from(`${text.slice(0, at)}${reloadTag}${text.slice(at)}`, 'latin1')
}
