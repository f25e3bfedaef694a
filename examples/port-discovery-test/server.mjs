// A server that listens wherever its argument says.
import { createServer } from 'node:http'

const given = Number(process.env.PORT)

function serve(port, host, answer = (request, response) => response.end(`${process.env.LOCALD_SERVICE}\n`)) {
  const server = createServer(answer)
  return server.listen(port, host, () => console.log(`listening on ${server.address().port}, given ${given}`))
}

switch (process.argv[2]) {
  case 'anywhere':
    serve(0, '127.0.0.1')
    break
  case 'late':
    setTimeout(() => serve(0, '::1'), 500)
    break
  case 'several':
    serve(0, '127.0.0.1')
    serve(0, '127.0.0.1')
    serve(given, '127.0.0.1')
    break
  case 'restless': {
    const server = serve(0, '127.0.0.1', (request, response) => {
      response.end('moving\n')
      server.close()
      server.closeIdleConnections()
      serve(0, '127.0.0.1')
    })
    break
  }
}
