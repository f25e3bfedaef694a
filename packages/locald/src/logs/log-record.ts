// What locald itself writes into the log of an instance, and how it reads.
import type { GapAccount } from '../lib/segment-writer.ts'

/** A record as it is appended to a log stream. Others are shown too, by their `text` or as they are. */
export type LogRecord =
  | { readonly type: 'run.started'; readonly pid: number }
  | { readonly type: 'run.started'; readonly container: string }
  /** Ends the lines of its run: append it after the run's last output. */
  | { readonly type: 'run.exited'; readonly code: number | null; readonly signal: string | null }
  /** Its keeper was lost, and with it how it ended. Ends the lines of its run too. */
  | { readonly type: 'run.lost'; readonly text: string }
  | EventRecord
  /** Anything else worth a line among the output. */
  | { readonly type: 'note'; readonly text: string }

/** What the daemon records of an event. `event`: its number, by which another daemon finds the record. */
export type EventRecord =
  /** The run could not be started: "command not found: foo". */
  | { readonly type: 'run.refused'; readonly message: string; readonly event?: number }
  | {
      readonly type: 'health.healthy' | 'health.unhealthy'
      readonly source: string
      readonly message?: string
      readonly event?: number
    }

/** A record, parsed from what a frame holds. Nothing can be said about its fields. */
export type ParsedRecord = Readonly<Record<string, unknown>>

/** The object in a record frame; what is none is shown as it is. */
export function parseRecord(payload: Buffer): ParsedRecord {
  try {
    const value: unknown = JSON.parse(payload.toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Written by something newer, or damaged: its text is all there is to show.
  }
  return { type: 'note', text: payload.toString() }
}

/** One line for people. */
export function recordText(record: ParsedRecord): string {
  switch (record['type']) {
    case 'run.started':
      return typeof record['container'] === 'string'
        ? `started as container ${shown(record['container'])}`
        : `started with pid ${shown(record['pid'])}`
    case 'run.exited':
      return record['signal'] === null || record['signal'] === undefined
        ? `exited with code ${shown(record['code'])}`
        : `terminated by ${shown(record['signal'])}`
    case 'run.refused':
      return `not started: ${shown(record['message'])}`
    case 'health.healthy':
      return withMessage(`healthy (${shown(record['source'])})`, record['message'])
    case 'health.unhealthy':
      return withMessage(`unhealthy (${shown(record['source'])})`, record['message'])
    default:
      return typeof record['text'] === 'string' ? oneLine(record['text']) : JSON.stringify(record)
  }
}

/** One line about output that could not be recorded. */
export function gapText(account: ParsedRecord): string {
  const { reason, bytes, frames }: { [Key in keyof GapAccount]?: unknown } = account
  const why = reason === 'ENOSPC' ? 'the disk was full' : `the disk did not take it (${shown(reason)})`
  return `${shown(bytes)} bytes of output in ${shown(frames)} chunks are missing here: ${why}`
}

function withMessage(text: string, message: unknown): string {
  return typeof message === 'string' && message !== '' ? `${text}: ${oneLine(message)}` : text
}

function shown(value: unknown): string {
  return typeof value === 'string' ? oneLine(value) : JSON.stringify(value ?? null)
}

function oneLine(text: string): string {
  return text.trimEnd().replace(/\s*[\r\n]+\s*/g, ' ')
}
