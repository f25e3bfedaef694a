// Counts the migrations that it is sent.
import { createServer } from 'node:http'

let migrations = 0
createServer((request, response) => {
  if (request.method === 'POST') migrations += 1
  response.end(String(migrations))
}).listen(process.env.PORT, '127.0.0.1')
