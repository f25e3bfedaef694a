import { createServer } from 'node:http'

createServer(async (_, response) => {
  const page = await fetch(`${process.env.PAGES_URL}/api.txt`)
  response.end(`the container says: ${await page.text()}`)
}).listen(process.env.PORT, process.env.HOST)
