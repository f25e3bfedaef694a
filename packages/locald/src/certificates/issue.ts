// Makes certificates: a CA's own, and those that it issues. ECDSA with P-256 and SHA-256 throughout.
import { randomBytes } from 'node:crypto'
import type { webcrypto } from 'node:crypto'
import { nameConstraints, nameConstraintsOid } from './name-constraints.ts'
import { bytesOfPem, pemOf } from './pem.ts'

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

/** Milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const serverAuthentication = '1.3.6.1.5.5.7.3.1'
/** Limit of a common name: https://www.rfc-editor.org/rfc/rfc5280#appendix-A.1 (ub-common-name). */
const maxCommonName = 64

/** A self-signed CA that can issue only for names below `suffixes`, and no other CA. `owner` is who it is of, for people. */
export async function issueAuthority(owner: string, suffixes: readonly string[], validity: Validity): Promise<KeyPair> {
  const x509 = await library()
  const serialNumber = randomSerial()
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates(validity),
    serialNumber,
    name: [
      { CN: [authorityName(owner, suffixes, validity.notBefore, serialNumber)] },
      { O: ['locald development CA'] },
    ],
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.Extension(nameConstraintsOid, true, Uint8Array.from(nameConstraints(suffixes))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** A server's certificate for exactly this name. */
export async function issueLeaf(issuer: KeyPair, host: string, validity: Validity): Promise<KeyPair> {
  const x509 = await library()
  const authority = new x509.X509Certificate(issuer.certificate)
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    ...dates(validity),
    serialNumber: randomSerial(),
    issuer: authority.subjectName,
    subject: [{ CN: [host.length <= maxCommonName ? host : 'locald'] }],
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(issuer.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([serverAuthentication]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** Loaded at its first use: most of what locald does needs no new certificate. */
async function library(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  return await import('@peculiar/x509')
}

/** No two are alike: NSS and some system stores tell CAs apart by their names. The owner is what is cut. */
function authorityName(owner: string, suffixes: readonly string[], at: number, serial: string): string {
  const [first = '', ...others] = suffixes
  const what = `${first.slice(0, 20)}${others.length === 0 ? '' : ` +${others.length}`}`
  const rest = ` ${what} ${new Date(at).toISOString().slice(0, 10)} ${serial.slice(0, 6)}`
  return `locald ${owner}`.slice(0, maxCommonName - rest.length) + rest
}

/** 127 random bits; positive, and never with a zero byte in front, which DER would not allow. */
function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

function dates({ notBefore, notAfter }: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return pemOf('PRIVATE KEY', new Uint8Array(await crypto.subtle.exportKey('pkcs8', key)))
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return await crypto.subtle.importKey('pkcs8', bytesOfPem(pem), algorithm, false, ['sign'])
}
