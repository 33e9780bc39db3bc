import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export type SigningAlgorithm = 'RS256' | 'ES256' | 'EdDSA'

export type SigningKey = {
  readonly kid: string
  readonly alg: SigningAlgorithm
  readonly privateKey: KeyObject
  /** As it is published. */
  readonly jwk: Readonly<Record<string, unknown>>
  /** Whether the key set shows it. */
  published: boolean
}

const pairOf = (alg: SigningAlgorithm): { privateKey: KeyObject } => {
  switch (alg) {
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
  }
}

export function createSigningKey(kid: string, alg: SigningAlgorithm): SigningKey {
  const { privateKey } = pairOf(alg)
  const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid, alg, use: 'sig' }
  return { kid, alg, privateKey, jwk, published: true }
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A compact JWT. Made by hand, not by the library the hub verifies with: two makers who agree prove more than one. */
export function signJwt(
  key: SigningKey,
  payload: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const text = `${part({ alg: key.alg, kid: key.kid, ...header })}.${part(payload)}`
  const hash = key.alg === 'EdDSA' ? null : 'sha256'
  const signature = sign(hash, Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}
