import { readFileSync } from 'node:fs'

console.log(`generated from ${readFileSync('schema.txt', 'utf8').trim()}`)
