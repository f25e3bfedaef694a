// The moments of a cron expression: five fields, or a word such as "@daily".
import { Cron } from 'croner'

const words = /^@(?:hourly|daily|midnight|weekly|monthly|yearly|annually)$/

/** What is wrong with an expression, for people; null when nothing is. */
export function cronFault(expression: string): string | null {
  const text = expression.trim()
  if (text.startsWith('@') ? !words.test(text) : text.split(/\s+/).length !== 5) {
    return 'expected five cron fields, or @hourly, @daily, @weekly, @monthly, @yearly'
  }
  try {
    return cronOf(text).nextRun() === null ? 'it never comes' : null
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error)
  }
}

/** The first moment after this one, in the time zone of this process; both in milliseconds since the epoch. Null: never. */
export function nextMoment(expression: string, after: number): number | null {
  try {
    return cronOf(expression).nextRun(new Date(after))?.getTime() ?? null
  } catch {
    return null // refused when the configuration was read; a plan of an older version may still hold it
  }
}

function cronOf(expression: string): Cron {
  return new Cron(expression.trim(), { paused: true })
}
