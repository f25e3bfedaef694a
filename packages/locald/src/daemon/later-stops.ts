// Orders have to be planned before they are given, which may take as long as files take to be read. A stop that came later than
// an order that is still being planned is the one that counts.

/** An order, as it came in. Disposed of once it was given or refused. */
export interface Arrival extends Disposable {
  /** Whether a stop of one of these services came in later. */
  isStoppedSince(project: string, services: ReadonlySet<string>): boolean
  /** This is a stop of these services; null: of all. */
  stop(project: string, services: ReadonlySet<string> | null): void
}

interface Stop {
  readonly number: number
  /** Null: all projects. */
  readonly project: string | null
  /** Null: all of them. */
  readonly services: ReadonlySet<string> | null
}

export class LaterStops {
  /** While anything is being planned. */
  #stops: Stop[] = []
  #planned = 0
  #arrived = 0

  arrive(): Arrival {
    this.#arrived += 1
    this.#planned += 1
    const number = this.#arrived
    return {
      isStoppedSince: (project, services) =>
        this.#stops.some((stop) => stop.number > number && hits(stop, project, services)),
      stop: (project, services) => void this.#stops.push({ number, project, services }),
      [Symbol.dispose]: () => {
        this.#planned -= 1
        if (this.#planned === 0) this.#stops = []
      },
    }
  }

  /** Of everything there is. */
  stopAll(): void {
    this.#arrived += 1
    if (this.#planned > 0) this.#stops.push({ number: this.#arrived, project: null, services: null })
  }
}

function hits({ project, services }: Stop, of: string, among: ReadonlySet<string>): boolean {
  if (project !== null && project !== of) return false
  return services === null || [...among].some((name) => services.has(name))
}
