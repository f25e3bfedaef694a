// Exits with 1 at its first two starts. It counts them in a file.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const file = new URL('./starts.txt', import.meta.url)
const starts = (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0) + 1
writeFileSync(file, String(starts))
console.log(`start ${starts}`)
if (starts < 3) process.exit(1)
setInterval(() => console.log('steady'), 1000)
