// Serves the files of one site, to the proxy alone: requests come to it as to any other service, but by no port.
import { readFile, realpath } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { join } from 'node:path'
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
    if (this.#isInjected(file.path)) return await this.#sendInjected(request, response, file.path, 200)
    const root = await realpath(this.#site.directory)
    response.setHeader('cache-control', 'no-cache')
    send(request, encodeURI(`/${file.path}`), { root, dotfiles: 'allow', index: false, cacheControl: false })
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
    if (page?.type === 'file') return await this.#sendInjected(request, response, page.path, 404)
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' })
    response.end(request.method === 'HEAD' ? undefined : 'No such file\n')
  }

  #isInjected(path: string): boolean {
    return this.#site.liveReload && /\.html?$/iu.test(path)
  }

  /** A page, which reloads itself when that is wanted. */
  async #sendInjected(request: IncomingMessage, response: ServerResponse, path: string, status: number): Promise<void> {
    const page = await readFile(join(this.#site.directory, path))
    const body = this.#isInjected(path) && page.length <= mostInjectedBytes ? withReload(page) : page
    response.writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'content-length': body.length,
      'cache-control': 'no-cache',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}

/** Before the end of the body, or at the end of the page. Bytes stay what they are, whatever their encoding. */
function withReload(page: Buffer): Buffer {
  const text = page.toString('latin1')
  const end = text.toLowerCase().lastIndexOf('</body')
  const at = end === -1 ? text.length : end
  return Buffer.from(`${text.slice(0, at)}${reloadTag}${text.slice(at)}`, 'latin1')
}
