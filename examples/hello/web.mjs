// The web service: answers with the greeting that the task wrote, and counts its visitors.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const greeting = readFileSync(new URL('./tmp/greeting.txt', import.meta.url), 'utf8')
let visitors = 0

const server = createServer((request, response) => {
  if (request.url === '/health') {
    response.end('ok\n')
    return
  }
  visitors += 1
  console.log(`${request.method} ${request.url} (visitor ${visitors})`)
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(`${greeting}You are visitor ${visitors}\n`)
})

server.listen(process.env.PORT, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${process.env.PORT}`)
})

process.once('SIGTERM', () => {
  console.log('closing')
  server.close()
  server.closeAllConnections()
})
