// Says who answers, to what, and at which address it is reached.
import { createServer } from 'node:http'

const { LOCALD_SERVICE, LOCALD_URL, PORT } = process.env

createServer((request, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(`${LOCALD_SERVICE} answers ${request.url}, at ${LOCALD_URL}\n`)
}).listen(Number(PORT), '127.0.0.1')
