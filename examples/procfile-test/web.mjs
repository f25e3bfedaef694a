// Refuses to start when the release line has not run before it.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

readFileSync(new URL('./migrated.txt', import.meta.url))
createServer((_request, response) => response.end(`${process.env.GREETING}\n`)).listen(process.env.PORT, '127.0.0.1')
