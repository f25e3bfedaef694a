/** A decimal number of microseconds as milliseconds, rounded up; null when it is none. */
export function microseconds(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,18}$/u.test(text)) return null
  return Math.ceil(Number(text) / 1000)
}
