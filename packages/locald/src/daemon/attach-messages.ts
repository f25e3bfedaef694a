// The words of an attached terminal: output, and where runs begin and end.
import type { AttachMessage } from '@locald/protocol'
import { recordText } from '../logs/log-record.ts'
import type { RawItem } from '../logs/raw-output.ts'

export function outputMessage(run: number, bytes: Buffer, cursor: string): AttachMessage {
  return { type: 'output', run, data: bytes.toString('base64'), cursor }
}

const shownRecords = { 'run.started': 'started', 'run.exited': 'exited' } as const

/** Of what locald records, a terminal shows where a run begins and ends; null for anything else. */
export function recordMessage({ run, record }: RawItem & { type: 'record' }): {
  readonly type: 'started' | 'exited'
  readonly run: number
  readonly text: string
} | null {
  const kind = record['type']
  if (kind !== 'run.started' && kind !== 'run.exited') return null
  return { type: shownRecords[kind], run, text: recordText(record) }
}
