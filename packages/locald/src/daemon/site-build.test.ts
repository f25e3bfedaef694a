// The command that builds a site.
import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { siteArgv } from './site-build.ts'

describe('siteArgv()', () => {
  it.each([
    ['words as they are', ['printf', '%s|', 'two words', '$HOME', "it's"], "two words|$HOME|it's|"],
    ['a line as a shell reads it', 'printf "%s|" a "b c"', 'a|b c|'],
  ])('runs %s', (_name, build, said) => {
    const [program = '', ...args] = siteArgv(build, '/')
    expect(execFileSync(program, args, { encoding: 'utf8' })).toBe(said)
  })
})
