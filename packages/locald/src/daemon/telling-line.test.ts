import { expect, test } from 'vitest'
import { tellingLine } from './telling-line.ts'

const cases: readonly (readonly [string, string, string])[] = [
  [
    'node, an uncaught error',
    `listening soon
/srv/app/server.js:12
    throw new Error('no license')
    ^

Error: no license
    at main (/srv/app/server.js:12:11)
    at Module._compile (node:internal/modules/cjs/loader:1554:14) {
  code: 'E_LICENSE'
}

Node.js v20.20.2`,
    'Error: no license',
  ],
  [
    'node, a missing module under npm',
    `> shop@1.0.0 dev
> node server.js

node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module 'express'
Require stack:
- /srv/app/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/srv/app/server.js' ]
}
Node.js v20.20.2
npm error Lifecycle script \`dev\` failed with error:
npm error code 1
npm error path /srv/app`,
    "Error: Cannot find module 'express'",
  ],
  [
    'npm itself',
    `npm error Missing script: "dev"
npm error
npm error To see a list of scripts, run:
npm error   npm run
npm error A complete log of this run can be found in: /root/.npm/_logs/x.log`,
    'npm error Missing script: "dev"',
  ],
  [
    'python, an exception that came of another',
    `Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    connect()
KeyError: 'host'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app.py", line 5, in <module>
    raise RuntimeError("cannot connect to the queue")
RuntimeError: cannot connect to the queue`,
    'RuntimeError: cannot connect to the queue',
  ],
  [
    'go, a panic',
    `2026/01/01 10:00:00 starting
panic: runtime error: invalid memory address or nil pointer dereference

goroutine 1 [running]:
main.main()
	/srv/main.go:9 +0x1
exit status 2`,
    'panic: runtime error: invalid memory address or nil pointer dereference',
  ],
  [
    'rust, a panic',
    `thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 0 but the index is 1
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace`,
    "thread 'main' panicked at src/main.rs:4:5: index out of bounds: the len is 0 but the index is 1",
  ],
  [
    'ruby',
    "/srv/app.rb:1:in 'require': cannot load such file -- sinatra (LoadError)",
    "/srv/app.rb:1:in 'require': cannot load such file -- sinatra (LoadError)",
  ],
  ['a shell', 'building\n/bin/sh: 1: tsx: not found', '/bin/sh: 1: tsx: not found'],
  [
    'postgres',
    '2026-01-01 LOG:  starting PostgreSQL\n2026-01-01 FATAL:  lock file "postmaster.pid" already exists\n2026-01-01 HINT:  Is another postmaster running?',
    '2026-01-01 FATAL:  lock file "postmaster.pid" already exists',
  ],
  [
    'a logger that writes JSON',
    '{"level":30,"msg":"hello"}\n{"level":60,"msg":"no such tenant"}\n{"level":30,"msg":"bye"}',
    'error: no such tenant',
  ],
  ['colours', '\u001b[31mError:\u001b[39m bad gateway\r\ndone', 'Error: bad gateway'],
  ['nothing that looks like an error: the last words', 'one\ntwo\n\n', 'two'],
]

test.each(cases)('tellingLine() of %s', (_name, text, expected) => {
  expect(tellingLine(text.split('\n'))).toBe(expected)
})

test('tellingLine() of nothing is null, and of a long line its beginning', () => {
  expect(tellingLine([])).toBeNull()
  expect(tellingLine(['', '  '])).toBeNull()
  const long = tellingLine([`Error: ${'x'.repeat(1000)}`]) ?? ''
  expect(long).toHaveLength(300)
  expect(long.endsWith('…')).toBe(true)
})
