// Values of options, read and refused alike in every command.
import { LocaldError } from '@locald/protocol'
import { parseDuration } from '../lib/duration.ts'
import type { Invocation } from './command.ts'

/** Timers hold no more than that; whoever names a longer time does not mean to see its end. */
const longestMs = 24 * 24 * 3_600_000

/** `--timeout 90s` in milliseconds, more than none; a bare number counts seconds. Undefined when the option is not given. */
export function durationOption(call: Invocation, name: string): number | undefined {
  const text = call.text(name)
  if (text === undefined) return undefined
  const ms = durationOf(text)
  if (ms !== undefined && ms > 0) return Math.min(ms, longestMs)
  throw new LocaldError('usage', `Cannot read the duration "${text}" of --${name}`, {
    hint: 'Write it as 500ms, 90s, 2m or 1h',
  })
}

/** `--since 5m` or `--since 2026-01-31T12:00`, in milliseconds since the epoch. A date without a zone is local. */
export function timeOption(call: Invocation, name: string, now: number): number | undefined {
  const text = call.text(name)
  if (text === undefined) return undefined
  const ago = durationOf(text)
  if (ago !== undefined) return now - ago
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new LocaldError('usage', `Cannot read the time "${text}" of --${name}`, {
    hint: 'Write how long ago (5m, 2h) or a date (2026-01-31, 2026-01-31T12:00)',
  })
}

/** `-n 100`; throws on anything but a whole number of at least `least`. */
export function numberOption(call: Invocation, name: string, least: number): number | undefined {
  const text = call.text(name)
  if (text === undefined) return undefined
  const number = Number(text)
  if (/^-?\d+$/.test(text) && number >= least) return number
  throw new LocaldError('usage', `Cannot read the number "${text}" of --${name}`)
}

/** `--env KEY=VALUE`, each; the last of one name counts. Undefined when none is given. */
export function variableOptions(call: Invocation, name: string): Readonly<Record<string, string>> | undefined {
  const given = call.list(name)
  if (given.length === 0) return undefined
  return Object.fromEntries(
    given.map((text) => {
      const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text)
      if (match !== null) return [match[1] ?? '', match[2] ?? '']
      throw new LocaldError('usage', `Cannot read the variable "${text}" of --${name}`, {
        hint: `Write it as --${name} NAME=VALUE`,
      })
    }),
  )
}

/** The process's environment without the gaps of its type. */
export function definedVariables(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function durationOf(text: string): number | undefined {
  return parseDuration(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text)
}
