// A certificate authority of our own, as its certificate tells it.
import { X509Certificate } from 'node:crypto'
import { isBelow } from './host-suffix.ts'
import { permittedSuffixes } from './name-constraints.ts'

export interface Authority {
  /** SHA-256 of the certificate, in lower-case hexadecimal digits. */
  readonly fingerprint: string
  /** Lower-case hexadecimal digits. */
  readonly serial: string
  /** Its common name, which no other one has. */
  readonly name: string
  /** It can issue for these names and those below them, for nothing else. */
  readonly suffixes: readonly string[]
  /** PEM. */
  readonly certificate: string
  /** Where that is as a file; readable for its owner alone. */
  readonly file: string
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
}

/** Throws when the text of the file is no certificate of a CA that is limited to suffixes. */
export function authorityOf(pem: string, file: string): Authority {
  const certificate = new X509Certificate(pem)
  const suffixes = permittedSuffixes(certificate.raw)
  if (!certificate.ca) throw new Error('It is not the certificate of a CA')
  if (suffixes.length === 0) throw new Error('It is not limited to any suffix')
  return {
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    serial: certificate.serialNumber.toLowerCase(),
    name: /^CN=(.+)$/mu.exec(certificate.subject)?.[1] ?? '',
    suffixes,
    certificate: certificate.toString(),
    file,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  }
}

/** Whether it may issue for that name, or for all names below that suffix. */
export function covers({ suffixes }: Pick<Authority, 'suffixes'>, name: string): boolean {
  return suffixes.some((suffix) => isBelow(name, suffix))
}
