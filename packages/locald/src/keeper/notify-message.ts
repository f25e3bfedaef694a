// The text of an sd_notify message: lines of NAME=value. https://man7.org/linux/man-pages/man3/sd_notify.3.html

/** The assignments of a message in their order, of a name that is given twice the last one. */
export type NotifyFields = Readonly<Record<string, string>>

/** Names that a message may hold; those beyond are dropped. */
const mostFields = 32
const assignment = /^([A-Z][A-Z0-9_]*)=(.*)$/su

/** Null when nothing in it is an assignment, or when it holds a NUL before its end. */
export function parseNotifyMessage(bytes: Buffer): NotifyFields | null {
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length
  if (bytes.subarray(0, end).includes(0)) return null
  const fields = new Map<string, string>()
  for (const line of bytes.toString('utf8', 0, end).split('\n')) {
    const [, name, value] = assignment.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    fields.delete(name)
    if (fields.size < mostFields) fields.set(name, value)
  }
  return fields.size === 0 ? null : Object.fromEntries(fields)
}

/** Two messages as one, as if all lines of the later one stood below those of the earlier one. */
export function mergeNotifyFields(earlier: NotifyFields, later: NotifyFields): NotifyFields {
  const kept = Object.entries(earlier).filter(([name]) => !Object.hasOwn(later, name))
  return Object.fromEntries([...kept, ...Object.entries(later)].slice(-mostFields))
}
