import { createServer } from 'node:http'

setTimeout(() => {
  createServer((_, response) => response.end('ready\n')).listen(process.env.PORT, process.env.HOST)
}, 300)
