// What a CA may issue for: the one extension that keeps a stolen key from being of use anywhere else.
// https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10
import { der, readDer } from '../lib/der.ts'
import type { DerElement } from '../lib/der.ts'

/** OID 2.5.29.30. */
export const nameConstraintsOid = '2.5.29.30'
const nameConstraintsOidBytes = Buffer.from([0x55, 0x1d, 0x1e])

const tags = { sequence: 0x30, oid: 0x06, octets: 0x04, permitted: 0xa0, excluded: 0xa1, extensions: 0xa3 } as const
const generalNames = { dns: 0x82, ip: 0x87 } as const

/**
 * The extension's value: names that are a suffix or end in one, and no addresses at all. Without the second part any
 * address would be allowed, as constraints hold only for the kinds of names that they mention.
 */
export function nameConstraints(suffixes: readonly string[]): Buffer {
  const subtree = (tag: number, base: Uint8Array): Buffer => der(tags.sequence, der(tag, base))
  const anyIpv4 = subtree(generalNames.ip, new Uint8Array(8)) // 0.0.0.0/0, as address and mask
  const anyIpv6 = subtree(generalNames.ip, new Uint8Array(32)) // ::/0
  return der(
    tags.sequence,
    der(tags.permitted, ...suffixes.map((suffix) => subtree(generalNames.dns, Buffer.from(suffix, 'ascii')))),
    der(tags.excluded, anyIpv4, anyIpv6),
  )
}

/** The suffixes that a certificate (DER) is limited to; none when it has no such extension. Throws when it is no certificate. */
export function permittedSuffixes(certificate: Buffer): readonly string[] {
  const value = extensionsOf(certificate)
    .find(([id]) => id?.content.equals(nameConstraintsOidBytes) === true)
    ?.at(-1)
  if (value === undefined) return []
  return inside(readDer(value.content)[0])
    .filter(({ tag }) => tag === tags.permitted)
    .flatMap((permitted) => inside(permitted).flatMap(inside))
    .filter(({ tag }) => tag === generalNames.dns)
    .map(({ content }) => content.toString('ascii'))
}

/** Each as its elements: id, perhaps whether it is critical, value. */
function extensionsOf(certificate: Buffer): readonly (readonly DerElement[])[] {
  const signed = inside(readDer(certificate)[0])[0]
  const extensions = inside(signed).find(({ tag }) => tag === tags.extensions)
  return inside(inside(extensions)[0]).map(inside)
}

function inside(element: DerElement | undefined): readonly DerElement[] {
  return element === undefined ? [] : readDer(element.content)
}
