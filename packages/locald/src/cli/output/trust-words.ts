// What `locald trust` says: what it is going to do, and who trusts what afterwards.
import type { TrustPlanStep, TrustRemoval, TrustReport, TrustStoreReport } from '@locald/protocol'
import type { Style } from './style.ts'

export function renderSteps(steps: readonly TrustPlanStep[], style: Style): readonly string[] {
  return steps.flatMap(({ title, lines }) => [style.bold(title), ...lines.map((line) => `  ${style.dim(line)}`)])
}

export function renderTrust(
  { authorities, stores, trusted, scope }: TrustReport,
  { style, changed }: { readonly style: Style; readonly changed: ReadonlySet<string> },
): readonly string[] {
  const suffixes = authorities.flatMap((authority) => authority.suffixes)
  const names = [...new Set(suffixes)].map((suffix) => `*.${suffix}`).join(', ')
  const lines = stores.flatMap((store) => storeLines(store, changed.has(store.id), style))
  if (stores.length === 0) lines.push(`${style.red('✗')} No database of a browser was found`)
  if (!trusted) return [...lines, `Not everything trusts certificates for ${names}: addresses stay http`]
  const isIncomplete = scope !== 'all'
  const rest = isIncomplete ? `, which is enough as you said --${scope}-only` : ''
  const hint = changed.size > 0 && scope !== 'system' ? '. Restart browsers that are open' : ''
  return [...lines, `Certificates for ${names} are trusted${rest}: addresses are https${hint}`]
}

function storeLines(
  { label, path, proof, trusted, reason, fix }: TrustStoreReport,
  isChanged: boolean,
  style: Style,
): string[] {
  const head = `${trusted ? style.green('✓') : style.red('✗')} ${label} ${style.dim(path)}`
  if (trusted) return [`${head}: ${isChanged ? 'added, and ' : ''}${proofWords(proof)}`]
  return [`${head}: ${reason ?? 'not trusted'}`, ...(fix === null ? [] : [`  ${style.cyan('fix:')} ${fix}`])]
}

/** No more than was done. */
export function proofWords(proof: TrustStoreReport['proof']): string {
  return proof === 'handshake'
    ? 'verified by a handshake'
    : 'valid for servers, as the store says (no handshake was made)'
}

export function renderRemoval({ removed, left, authorities }: TrustRemoval, style: Style): readonly string[] {
  return [
    ...removed.map(({ label, path }) => `${style.green('✓')} ${label} ${style.dim(path)}: removed`),
    ...left.map(
      ({ label, path, reason }) => `${style.red('✗')} ${label} ${style.dim(path)}: ${reason ?? 'still there'}`,
    ),
    ...(removed.length + left.length === 0 ? ['Nothing was installed'] : []),
    ...(left.length > 0 ? ['Run "locald trust --uninstall" again, on a terminal, as a user who may use sudo'] : []),
    `The certificate authority itself stays in ${authorities}, for the next "locald trust"; remove that directory to be rid of it`,
  ]
}
