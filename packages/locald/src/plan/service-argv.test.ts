import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { serviceArgv } from './service-argv.ts'

const usual = { stopSignal: 'SIGTERM', stopScope: 'group' } as const
const scriptOf = (command: string, options: Parameters<typeof serviceArgv>[1] = usual): string | undefined =>
  serviceArgv(command, options)[2]

test.each([
  'npm run dev',
  'python3 -m http.server $PORT',
  `node -e 'console.log("a; b")' "x && $Y"`,
  'bin/web --log "${LOG:-a}" > out.log 2>&1',
  './run.sh',
  `printf "it's %s" fine`,
])('serviceArgv() lets the shell replace itself by %s', (command) => {
  expect(serviceArgv(command, usual)).toEqual(['/bin/sh', '-c', `exec ${command}`])
})

test.each([
  'cd web && npm start',
  'while true; do echo working; sleep 1; done',
  'A=b node x.js',
  'exec node x.js',
  'node a.js | tee log',
  'node a.js & node b.js',
  '(node a.js)',
  'echo one\necho two',
  'echo `date`',
  'node "$(which x)"',
  'echo "unclosed',
  `echo don't; true`,
  '. ./env.sh; node x.js',
  'true # nothing',
  '[ -e x ]',
])('serviceArgv() keeps the shell around %s', (command) => {
  expect(serviceArgv(command, usual)).toEqual(['/bin/sh', '-c', `trap 'exit $?' TERM; ${command}`])
})

test('serviceArgv() traps the stop signal of the service', () => {
  expect(scriptOf('a; b', { stopSignal: 'SIGQUIT', stopScope: 'group' })).toBe(`trap 'exit $?' QUIT; a; b`)
})

test('serviceArgv() leaves a shell alone that is signalled alone, or cannot be asked', () => {
  expect(scriptOf('a; b', { stopSignal: 'SIGTERM', stopScope: 'leader' })).toBe('a; b')
  expect(scriptOf('a; b', { stopSignal: 'SIGKILL', stopScope: 'group' })).toBe('a; b')
})

test('serviceArgv() starts a list without a shell', () => {
  expect(serviceArgv(['node', 'a b.js'], usual)).toEqual(['node', 'a b.js'])
})

test.each([
  ['exit 7', 7],
  ['true; (exit 8)', 8],
  ["sh -c 'exit 9'", 9],
  ['no-such-program-9', 127],
])('a shell around %s exits as it did', (command, code) => {
  const [program = '', ...args] = serviceArgv(command, usual)
  expect(spawnSync(program, args).status).toBe(code)
})
