// The environments of the shells that ran `up`: what services inherit. Kept with the login, readable by this user alone.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../lib/atomic-file.ts'

export type Variables = Readonly<Record<string, string>>

export class Shells {
  readonly #directory: string
  readonly #fallback: Variables
  readonly #known = new Map<string, Variables>()

  /** `fallback`: for projects whose shell is not known, after a reboot. */
  constructor(directory: string, fallback: Variables) {
    this.#directory = directory
    this.#fallback = fallback
  }

  async keep(project: string, shell: Variables): Promise<void> {
    this.#known.set(project, shell)
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    await writeFileAtomic(this.#path(project), JSON.stringify(shell))
  }

  of(project: string): Variables {
    const known = this.#known.get(project) ?? this.#read(project)
    this.#known.set(project, known)
    return known
  }

  #read(project: string): Variables {
    try {
      const parsed: unknown = JSON.parse(readFileSync(this.#path(project), 'utf8'))
      if (typeof parsed === 'object' && parsed !== null) {
        return Object.fromEntries(
          Object.entries(parsed).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
        )
      }
    } catch {
      // Gone with the login, or damaged: the services get what the daemon itself was started with.
    }
    return this.#fallback
  }

  #path(project: string): string {
    return join(this.#directory, `${project}.json`)
  }
}
