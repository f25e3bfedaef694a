// The environments of the shells that ran `up`: what services inherit. Kept with the login, readable by this user alone.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../lib/atomic-file.ts'

export type Variables = Readonly<Record<string, string>>

export class Shells {
  readonly #directory: string
  readonly #fallback: Variables
  readonly #onTrouble: (message: string, error: unknown) => void
  readonly #known = new Map<string, Variables>()

  /** `fallback`: for projects whose shell is not known, after a reboot. */
  constructor(directory: string, fallback: Variables, onTrouble: (message: string, error: unknown) => void) {
    this.#directory = directory
    this.#fallback = fallback
    this.#onTrouble = onTrouble
  }

  async keep(project: string, shell: Variables): Promise<void> {
    this.#known.set(project, shell)
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      await writeFileAtomic(this.#path(project), JSON.stringify(shell))
    } catch (error) {
      this.#onTrouble('Cannot keep the environment of a shell; the next daemon will not know it', error)
    }
  }

  of(project: string): Variables {
    const known = this.#known.get(project) ?? this.#read(project)
    this.#known.set(project, known)
    return known
  }

  forget(project: string): void {
    this.#known.delete(project)
    rmSync(this.#path(project), { force: true })
  }

  /** Gone with the login, or damaged: the services get what the daemon itself was started with. */
  #read(project: string): Variables {
    const path = this.#path(project)
    if (!existsSync(path)) return this.#fallback
    try {
      const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
      if (isVariables(parsed)) return parsed
      throw new Error('It holds no variables')
    } catch (error) {
      const aside = `${path}.damaged-${Date.now()}`
      renameSync(path, aside)
      this.#onTrouble(`The environment of a shell was damaged; it is kept in ${aside}`, error)
      return this.#fallback
    }
  }

  #path(project: string): string {
    return join(this.#directory, `${project}.json`)
  }
}

function isVariables(value: unknown): value is Variables {
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'string')
}
