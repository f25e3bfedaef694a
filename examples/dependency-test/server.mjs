// Needs, when it starts, that what it depends on answers already: it does not try twice.
import { createServer } from 'node:http'

if (process.env.NEEDS) {
  const answer = await fetch(process.env.NEEDS)
  if (!answer.ok) throw new Error(`${process.env.NEEDS} answered ${answer.status}`)
  console.log(`${process.env.NEEDS} is there`)
}
createServer((_request, response) => response.end(`${process.env.LOCALD_SERVICE}\n`)).listen(process.env.PORT, '127.0.0.1')
