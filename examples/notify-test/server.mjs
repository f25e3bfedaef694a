import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { notify } from './notify.mjs'

let isWarm = false
const server = createServer((_request, response) => {
  response.statusCode = isWarm ? 200 : 503
  response.end(isWarm ? 'warm\n' : 'cold\n')
})
server.listen(Number(process.env.PORT), '127.0.0.1', async () => {
  await notify('STATUS=listening, not warm yet')
  await sleep(300)
  isWarm = true
  await notify('READY=1', 'STATUS=warm')
})

process.on('SIGTERM', async () => {
  await notify('STOPPING=1')
  server.close(() => process.exit(0))
})
