// Listens at once; answers /health with 503 for its first 300 ms, as a server does that still loads.
import { createServer } from 'node:http'

const warmAt = Date.now() + 300
const server = createServer((request, response) => {
  response.statusCode = request.url === '/health' && Date.now() < warmAt ? 503 : 200
  response.end(response.statusCode === 200 ? 'ok\n' : 'warming up\n')
})
server.listen(process.env.PORT, '127.0.0.1', () => {
  setTimeout(() => console.log(`ready on ${server.address().port}`), 300)
})
