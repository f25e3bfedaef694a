// What a service has said over its notify sockets, as `why` shows it.
import type { NotifyReport } from '@locald/protocol'
import type { ServiceConfig } from '../config/config.ts'
import type { Instance } from '../supervisor/instance.ts'
import { isCounted, whyJudged } from '../supervisor/notify-memory.ts'

/** Null when the current or last run of this instance has said nothing. */
export function notifyReport(
  instance: number,
  { memory }: Instance,
  { watchdogMs }: Pick<ServiceConfig, 'watchdogMs'>,
): NotifyReport | null {
  const { notify } = memory
  if (notify === null) return null
  return {
    instance,
    ready: notify.isReady,
    status: notify.status,
    phase: notify.phase,
    errno: notify.errno,
    main_pid: notify.mainPid,
    watchdog: watchdogMs === undefined ? null : { interval_ms: watchdogMs, missed: notify.missedMs !== null },
    refused: notify.refused,
    messages: notify.messages.map((message) => ({
      at: new Date(message.at).toISOString(),
      text: message.text,
      pid: message.sender.pid,
      uid: message.sender.uid,
      command: message.sender.command,
      accepted: isCounted(message),
      verdict: message.verdict,
      reason: whyJudged(message),
      count: message.count,
    })),
  }
}
