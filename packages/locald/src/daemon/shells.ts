// The environments of the shells that ran `up`: what services inherit. Kept with the login, readable by this user alone.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../lib/atomic-file.ts'

export type Variables = Readonly<Record<string, string>>

export interface ShellsOptions {
  readonly directory: string
  /** For projects whose shell is not known, after a reboot. Asked for once, when it is needed. */
  readonly login: () => Promise<Variables>
  /** For when `login` rejects: what the daemon itself was started with. */
  readonly own: Variables
  readonly onTrouble: (message: string, error: unknown) => void
}

export class Shells {
  readonly #options: ShellsOptions
  readonly #known = new Map<string, Variables>()
  #login: Promise<Variables> | undefined

  constructor(options: ShellsOptions) {
    this.#options = options
  }

  async keep(project: string, shell: Variables): Promise<void> {
    this.#known.set(project, shell)
    try {
      mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 })
      await writeFileAtomic(this.#path(project), JSON.stringify(shell))
    } catch (error) {
      this.#options.onTrouble('Cannot keep the environment of a shell; the next daemon will not know it', error)
    }
  }

  /** Those of the shell that ran `up`; of the login shell where that is not known. */
  async of(project: string): Promise<Variables> {
    const known = this.#known.get(project) ?? this.#read(project)
    if (known !== undefined) {
      this.#known.set(project, known)
      return known
    }
    const login = await (this.#login ??= this.#logIn())
    // Somebody may have run `up` meanwhile.
    return this.#known.get(project) ?? login
  }

  forget(project: string): void {
    this.#known.delete(project)
    rmSync(this.#path(project), { force: true })
  }

  async #logIn(): Promise<Variables> {
    const { login, own, onTrouble } = this.#options
    try {
      return await login()
    } catch (error) {
      onTrouble('Services start in the environment of the daemon: there is no other until "up" is run', error)
      return own
    }
  }

  /** `undefined`: gone with the login, or damaged. */
  #read(project: string): Variables | undefined {
    const path = this.#path(project)
    if (!existsSync(path)) return undefined
    try {
      const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
      if (isVariables(parsed)) return parsed
      throw new Error('It holds no variables')
    } catch (error) {
      const aside = `${path}.damaged-${Date.now()}`
      renameSync(path, aside)
      this.#options.onTrouble(`The environment of a shell was damaged; it is kept in ${aside}`, error)
      return undefined
    }
  }

  #path(project: string): string {
    return join(this.#options.directory, `${project}.json`)
  }
}

function isVariables(value: unknown): value is Variables {
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'string')
}
