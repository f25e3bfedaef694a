// The task: writes what the web service serves.
import { mkdirSync, writeFileSync } from 'node:fs'

const directory = new URL('./tmp/', import.meta.url)
mkdirSync(directory, { recursive: true })
writeFileSync(new URL('greeting.txt', directory), 'Hello from locald\n')
console.log('greeting written')
