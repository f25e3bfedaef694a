import type { LogLine } from '@locald/protocol'
import { expect, test } from 'vitest'
import { takenPort } from './why-cause.ts'

test.each([
  ['Error: listen EADDRINUSE: address already in use 127.0.0.1:3000', 3000],
  ['Error: listen EADDRINUSE: address already in use :::8080', 8080],
  ["OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use", 8000],
  ['listen tcp :9090: bind: address already in use', 9090],
  ['Error: Port 5173 is already in use', 5173],
  ['OSError: [Errno 98] Address already in use', null],
  ['Error: cannot reach 127.0.0.1:3000', null],
])('takenPort() of "%s" is %s', (text, port) => {
  const line: LogLine = { at: '', service: 'web', stream: 'pty', run: 1, text }
  expect(takenPort([line])).toBe(port)
})
