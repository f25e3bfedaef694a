// locald's own log, as JSON lines. A service's output is data and never goes here.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Logger {
  log(level: LogLevel, msg: string, fields?: Readonly<Record<string, unknown>>): void
}

/** Writes one line for each call; errors among the fields are written with stack and cause. */
export function createLogger(write: (line: string) => void, clock: () => Date = () => new Date()): Logger {
  return {
    log: (level, msg, fields = {}) => {
      write(`${JSON.stringify({ time: clock().toISOString(), level, msg, ...fields }, serialise)}\n`)
    },
  }
}

function serialise(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  return { message: value.message, stack: value.stack, ...(value.cause === undefined ? {} : { cause: value.cause }) }
}
