import { createServer } from 'node:http'

// On the loopback address alone: the container reaches it at host.docker.internal all the same.
createServer((_, response) => response.end('hello from the host\n')).listen(process.env.PORT, '127.0.0.1')
