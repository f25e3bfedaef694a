// The worker: visits the web service every few seconds.
import { setTimeout as sleep } from 'node:timers/promises'

const ending = new AbortController()
process.once('SIGTERM', () => ending.abort())

while (!ending.signal.aborted) {
  const answer = await fetch(`${process.env.WEB_URL}/from-greeter`)
  console.log((await answer.text()).trim().split('\n').at(-1))
  await sleep(5000, undefined, { signal: ending.signal }).catch(() => undefined)
}
console.log('bye')
