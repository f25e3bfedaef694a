// What a service is told of locald itself: its own address by name, and whom to trust for addresses of that kind.
import type { EnvironmentInputs } from '../plan/environment.ts'
import { refersToBundle } from '../plan/ca-bundle-reference.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { ProxyControl } from './proxy-control.ts'
import type { PublicNames } from './public-names.ts'
import type { TrustState } from './trust-state.ts'

export type OwnAddresses = Pick<EnvironmentInputs, 'publicUrl' | 'caCertificate' | 'caBundle'>

export interface AddressParts {
  readonly names: PublicNames
  readonly trust: TrustState
  /** Null: there is none, and no authority of ours. */
  readonly proxy: Pick<ProxyControl, 'certificates'> | null
}

/** Waits for the certificates on the very first day. */
export async function ownAddresses(
  plan: Plan,
  service: ServicePlan,
  { names, trust, proxy }: AddressParts,
): Promise<OwnAddresses> {
  const publicUrl = names.urlOf(plan, service.name)
  const address = publicUrl === null ? {} : { publicUrl }
  if (proxy === null) return address
  await proxy.certificates()
  return {
    ...address,
    caCertificate: trust.rootsFile,
    ...(refersToBundle(plan.config, service.config) ? { caBundle: await trust.bundleFile() } : {}),
  }
}
