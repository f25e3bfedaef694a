// Collects what a monitor reports, and waits for it.
import { EventEmitter, once } from 'node:events'
import type { HealthReport } from '../monitor.ts'

export class ReportLog {
  readonly all: HealthReport[] = []
  readonly #added = new EventEmitter()

  readonly report = (report: HealthReport): void => {
    this.all.push(report)
    this.#added.emit('added')
  }

  /** The first report of this type, from the `from`th on, whether it came already or is still to come. */
  async first<T extends HealthReport['type']>(
    type: T,
    from = 0,
    matches: (report: HealthReport & { readonly type: T }) => boolean = () => true,
  ): Promise<HealthReport & { readonly type: T }> {
    const isIt = (report: HealthReport): report is HealthReport & { readonly type: T } =>
      report.type === type && matches(report as HealthReport & { readonly type: T })
    const signal = AbortSignal.timeout(10_000)
    for (;;) {
      const report = this.all.slice(from).find(isIt)
      if (report !== undefined) return report
      await once(this.#added, 'added', { signal }).catch(() => {
        throw new Error(`No such report "${type}" among ${JSON.stringify(this.all, null, 1)}`)
      })
    }
  }
}
