// The build of the site: one page.
import { mkdirSync, writeFileSync } from 'node:fs'

const directory = new URL('./tmp/guide/', import.meta.url)
mkdirSync(directory, { recursive: true })
writeFileSync(new URL('index.html', directory), '<!doctype html>\n<title>Guide</title>\n<h1>The guide</h1>\n')
console.log('guide built')
