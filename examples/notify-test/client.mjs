import { setTimeout as sleep } from 'node:timers/promises'
import { notify } from './notify.mjs'

const answer = await fetch(process.env.NODE_URL)
console.log(`the first answer was ${answer.status} ${(await answer.text()).trim()}`)
await notify('READY=1')
await sleep(2 ** 30)
