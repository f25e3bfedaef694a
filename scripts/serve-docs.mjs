// Serves the Markdown files of this repository on $PORT, as they are, with a list of them as the first page.
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Paths below the root, with slashes. The list is the whole of what is served. */
function documents() {
  const below = (directory) =>
    readdirSync(join(root, directory), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
  const top = readdirSync(root).filter((name) => name.endsWith('.md'))
  return [...top, ...below('docs').sort(), ...below('examples').sort()]
}

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname).slice(1)
  const files = documents()
  if (path === '') {
    const items = files.map((file) => `<li><a href="/${file}">${file}</a></li>`).join('\n')
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(`<!doctype html><title>locald</title><h1>locald</h1><ul>\n${items}\n</ul>\n`)
    return
  }
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  if (!files.includes(path)) {
    response.statusCode = 404
    response.end('There is no such page\n')
    return
  }
  response.end(readFileSync(join(root, path)))
})

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`Documentation on http://127.0.0.1:${server.address().port}`)
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
