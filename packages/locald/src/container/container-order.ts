// The contract of this folder: what is ordered of a container, and what is told of it. The counterpart of
// keeper/protocol.ts for services that an engine runs.

/** Where an engine is reached. Plain data: it is kept with the run, so that a later daemon asks the same engine. */
export interface EngineAddress {
  /** `unix:///var/run/docker.sock`, `tcp://host:2376`, `ssh://user@host`. */
  readonly url: string
  /** Directory with `ca.pem`, `cert.pem` and `key.pem` for TCP; null: none. */
  readonly certificates: string | null
}

/** A container as it is recognised for as long as it exists. */
export interface ContainerIdentity {
  readonly engine: EngineAddress
  readonly id: string
  readonly name: string
  /** Of its first process on this machine; null where the engine runs in another one (Docker Desktop, a remote host). */
  readonly pid: number | null
}

/** A port inside the container and the one of this machine that leads to it. */
export interface PublishedPort {
  readonly container: number
  readonly host: number
}

/** A HEALTHCHECK as the engine has it; the first word says how the others are read. */
export interface HealthTest {
  /** `["CMD", program, …]`, `["CMD-SHELL", command]`, `["NONE"]`. */
  readonly test: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

/** Where output goes; structurally the keeper's. */
export interface OutputTarget {
  readonly stream: string
  readonly run: number
  readonly segmentBytes: number
  readonly segments: number
}

/** Structurally the keeper's `NotifyOrder`. */
export interface ContainerNotify {
  readonly address: string
  readonly watchdogMs?: number
}

export interface ContainerOrder {
  readonly run: string
  /** Identifies this locald among others that use the same engine. */
  readonly installation: string
  readonly project: { readonly id: string; readonly name: string }
  readonly service: string
  readonly instance: number
  /** Hash of the plan. */
  readonly hash: string
  /** Opaque here, returned with what is found at an engine. */
  readonly tag: Readonly<Record<string, unknown>>
  readonly engine: EngineAddress
  /** For the credentials of registries: `DOCKER_CONFIG`, `HOME`, `PATH`. */
  readonly shell: Readonly<Record<string, string>>
  /** What relative volumes are relative to. */
  readonly root: string
  readonly image: string
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly user?: string
  readonly workdir?: string
  readonly env: Readonly<Record<string, string>>
  readonly ports: readonly PublishedPort[]
  /** As written: `./data:/data`, `data:/data:ro`, `/cache`. */
  readonly volumes: readonly string[]
  readonly tty: boolean
  /** Replaces the image's own. */
  readonly healthTest?: HealthTest
  /** Where it is heard: a socket at a path of this machine, mounted into it. */
  readonly notify?: ContainerNotify
  readonly log: OutputTarget
}

export type ContainerSpawnResult =
  | { readonly ok: true; readonly container: ContainerIdentity; readonly startedAt: number }
  | { readonly ok: false; readonly message: string }

export interface ContainerEndOrder {
  readonly run: string
  /** Null: the one that the image names, else SIGTERM. */
  readonly signal: string | null
  /** Until SIGKILL. Null: never. 0: at once. */
  readonly timeoutMs: number | null
}

/** Something that happened to a run, at a time (milliseconds since the epoch) that the engine tells. */
export type ContainerFact = { readonly run: string; readonly at: number } & (
  | {
      readonly type: 'exited'
      readonly code: number | null
      readonly signal: string | null
      /** Where there is more to say than code and signal do. */
      readonly reason: string | null
    }
  /** An end sent SIGKILL, because it was still there after the time-out. */
  | { readonly type: 'killed' }
  /** After `exited`: nothing is left of it, but for `survivors`. */
  | { readonly type: 'emptied'; readonly survivors: readonly string[] }
  /** The engine knows no such container any more. */
  | { readonly type: 'lost' }
)

/** A run of which the journal says that a container belongs to it. */
export interface KnownRun {
  readonly run: string
  readonly container: ContainerIdentity
  readonly log: OutputTarget
  /** It was found up: signs of life are expected of it, if it has to give any. */
  readonly isUp: boolean
}

/** A running container of this installation, as it was found at an engine. */
export interface FoundContainer {
  readonly run: string
  readonly tag: Readonly<Record<string, unknown>>
  readonly container: ContainerIdentity
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** Containers as the supervisor sees them: the counterpart of a connection to the keeper. */
export interface ContainerRunner {
  /** Idempotent: a container that was started for this run is taken over. Never rejects for what a user can cause. */
  spawn(order: ContainerOrder): Promise<ContainerSpawnResult>
  /** Signal, wait, SIGKILL; `emptied` tells the end. Repeatable with a shorter time-out. False: nothing is known of that run. */
  end(order: ContainerEndOrder): boolean
  /** A run that is being ended asks not to be killed for so many milliseconds from now on. */
  extendEnd(run: string, ms: number): void
  /** Goes on with a run of an earlier daemon; facts tell what became of it. */
  adopt(run: KnownRun): void
}
