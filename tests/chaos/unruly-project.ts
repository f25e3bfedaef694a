// A project of every unruly kind, and what has to hold for it however often locald is killed.

/** Services that number their lines. */
export const numbered = ['numbers', 'screen'] as const

/** Where each run of those notes how far it has counted, by name and pid: what it has certainly written, and what it may have. */
export const countsDirectory = 'counts'

const numbering = `
const { mkdirSync, openSync, writeSync } = require('node:fs')
const [, , rate, name] = process.argv, began = Date.now()
mkdirSync('${countsDirectory}', { recursive: true })
const counts = openSync('${countsDirectory}/' + name + '.' + process.pid, 'w')
const note = (certain, possible) => writeSync(counts, [certain, possible].map((n) => String(n).padStart(9)).join(' '), 0)
let written = 0
note(0, 0)
setInterval(() => {
  const due = Math.min(Math.floor(((Date.now() - began) * rate) / 1000), written + 200)
  if (due <= written) return
  note(written, due)
  let text = ''
  for (let n = written + 1; n <= due; n += 1) text += 'n ' + n + '\\n'
  // The kernel has it all when this returns, whatever becomes of this process.
  for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest))
  written = due
  note(written, due)
}, 10)
`

/** Each in its own way: fast, on a terminal, forking and hiding, crashing when told, slow and unwilling to stop. */
export const unrulyFiles: Readonly<Record<string, string>> = {
  'number.cjs': numbering,
  'locald.toml': `
[services.numbers]
type = "worker"
command = ["node", "number.cjs", "1000", "numbers"]
tty = false

[services.screen]
type = "worker"
command = ["node", "number.cjs", "200", "screen"]
depends_on = ["api"]

[services.forker]
type = "worker"
command = "(setsid env -i sleep 10000 &); while :; do (sleep 0.2 &); sleep 0.1; done"
tty = false

[services.crasher]
type = "worker"
command = "exec sleep 10000"

[services.slow]
type = "worker"
command = "trap 'echo stopping; sleep 0.7; echo stopped; exit 0' TERM; while :; do sleep 0.1; done"

[services.deaf]
type = "worker"
command = "trap '' TERM HUP; while :; do sleep 0.1; done"
tty = false
stop_timeout = "500ms"

[services.setup]
type = "task"
command = "sleep 0.3; echo set up"

[services.api]
command = "exec python3 -m http.server --bind 127.0.0.1 $PORT"
port_discovery = "off"
depends_on = ["setup"]
health_check = { type = "http", path = "/", interval = "1s" }
`,
}
