// Fetches an image, and says how far it is.
import type { Engine } from './engine.ts'
import { credentialsFor, withTag } from './registry-credentials.ts'

export interface Pull {
  readonly engine: Engine
  readonly image: string
  /** Of the user's shell: where credentials are found. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** `Pulling redis:7: 12.3 of 40.1 MB`; at most a few times a second. */
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
}

/** Rejects with the registry's or the engine's words. */
export async function pullImage({ engine, image, env, onProgress, signal }: Pull): Promise<void> {
  const reference = withTag(image)
  const progress = new PullProgress(reference)
  const show = throttle(() => onProgress(progress.text()))
  show.soon()
  const authconfig = await credentialsFor(reference, env)
  const stream = await engine.pull(reference, {
    abortSignal: signal,
    ...(authconfig === undefined ? {} : { authconfig }),
  })
  try {
    await new Promise<void>((resolve, reject) => {
      engine.modem.followProgress(
        stream,
        (error) => (error === null ? resolve() : reject(error)),
        (line: PullLine) => {
          progress.add(line)
          show.soon()
        },
      )
    })
  } finally {
    show.stop()
  }
}

/** At once, then at most every `showEveryMs`; what came in between is shown at the end of that time. */
function throttle(show: () => void): { readonly soon: () => void; readonly stop: () => void } {
  let timer: NodeJS.Timeout | null = null
  let isStale = false
  const now = (): void => {
    isStale = false
    timer = setTimeout(() => {
      timer = null
      if (isStale) now()
    }, showEveryMs)
    show()
  }
  return {
    soon: () => {
      if (timer === null) now()
      else isStale = true
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer)
    },
  }
}

/** Each is an event that is kept. */
const showEveryMs = 500

/** One line of the engine's report; those about a layer have its id. */
export interface PullLine {
  readonly id?: string
  readonly status?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
}

interface Layer {
  readonly fetched: number
  readonly total: number
  readonly isDone: boolean
}

/** Adds up the layers of an image. */
export class PullProgress {
  readonly #image: string
  readonly #layers = new Map<string, Layer>()

  constructor(image: string) {
    this.#image = image
  }

  add({ id, status, progressDetail }: PullLine): void {
    if (id === undefined || status === undefined) return
    const { fetched, total } = this.#layers.get(id) ?? { fetched: 0, total: 0 }
    switch (status) {
      case 'Pulling fs layer':
      case 'Waiting':
        return void this.#layers.set(id, { fetched, total, isDone: false })
      case 'Downloading': {
        const { current = fetched, total: size = total } = progressDetail ?? {}
        return void this.#layers.set(id, { fetched: current, total: size, isDone: false })
      }
      case 'Verifying Checksum':
      case 'Download complete':
      case 'Extracting':
        return void this.#layers.set(id, { fetched: total, total, isDone: false })
      case 'Pull complete':
      case 'Already exists':
        return void this.#layers.set(id, { fetched: total, total, isDone: true })
      default:
    }
  }

  text(): string {
    const layers = [...this.#layers.values()]
    const total = layers.reduce((sum, layer) => sum + layer.total, 0)
    const fetched = layers.reduce((sum, layer) => sum + layer.fetched, 0)
    const done = layers.filter((layer) => layer.isDone).length
    if (layers.length === 0) return `Pulling ${this.#image}`
    if (total > 0 && fetched < total) return `Pulling ${this.#image}: ${megabytes(fetched)} of ${megabytes(total)} MB`
    return `Pulling ${this.#image}: ${done} of ${layers.length} layers are in place`
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
