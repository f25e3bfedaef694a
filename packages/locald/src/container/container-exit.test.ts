import { describe, expect, test } from 'vitest'
import { containerExit, describeStartFailure } from './container-exit.ts'

const ended = { isOutOfMemory: false, error: '', signals: new Set<string>() }

describe('containerExit()', () => {
  test('tells a code above 128 as a signal only when that signal was sent', () => {
    expect(containerExit({ ...ended, exitCode: 143 })).toEqual({ code: 143, signal: null, reason: null })
    expect(containerExit({ ...ended, exitCode: 143, signals: new Set(['SIGTERM']) })).toEqual({
      code: null,
      signal: 'SIGTERM',
      reason: null,
    })
  })

  test('says that it was out of memory', () => {
    expect(containerExit({ ...ended, exitCode: 137, isOutOfMemory: true })).toEqual({
      code: null,
      signal: 'SIGKILL',
      reason: 'killed by SIGKILL: it was out of memory',
    })
    expect(containerExit({ ...ended, exitCode: 1, isOutOfMemory: true }).reason).toBe(
      'exited with code 1: a process in it was out of memory',
    )
  })

  test('passes on what the engine could not do', () => {
    expect(containerExit({ ...ended, exitCode: 128, error: 'no such device' }).reason).toBe(
      'exited with code 128: no such device',
    )
  })
})

test.each([
  [
    'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "foo": executable file not found in $PATH: unknown',
    'command not found in the image "i": foo',
  ],
  [
    'driver failed programming external connectivity on endpoint x (abc): Error starting userland proxy: listen tcp4 127.0.0.1:25555: bind: address already in use',
    'port 25555 is taken by somebody else',
  ],
  ['Bind for 127.0.0.1:80 failed: port is already allocated', 'port 80 is taken by somebody else'],
  ['invalid mount config', 'invalid mount config'],
])('describeStartFailure() makes of "%s" "%s"', (message, described) => {
  expect(describeStartFailure(message, 'i')).toBe(described)
})
