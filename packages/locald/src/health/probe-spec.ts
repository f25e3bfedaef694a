// An explicit check, as the configuration layer writes it; kept structurally equal to `config/config.ts`, which this layer
// may not import.

interface Timing {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

export type ProbeSpec =
  | (Timing & {
      readonly type: 'http'
      readonly method: string
      readonly path: string
      readonly port?: number
      readonly status: readonly (readonly [number, number])[]
      readonly headers: Readonly<Record<string, string>>
    })
  | (Timing & { readonly type: 'tcp'; readonly port?: number; readonly owner: 'tree' | 'any' })
  | (Timing & { readonly type: 'command'; readonly command: string | readonly string[] })
  | (Timing & { readonly type: 'log'; readonly pattern: string })
  | (Timing & { readonly type: 'notify' })
