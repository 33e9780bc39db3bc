import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

const sha256 = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest()
const url64 = (bytes: Buffer): string => bytes.toString('base64url')

// As much CBOR as an authenticator without attestation writes (RFC 8949): text, byte strings, small maps.
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0x60 | value.length]), Buffer.from(value)])
const bytes = (value: Buffer): Buffer => {
  const { length } = value
  const head = length < 24 ? [0x40 | length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(head), value])
}

const present = 0x01
const verified = 0x04
const attested = 0x40

/** A security key in software: what a browser would answer for it. `checksHolder` false is a key one only touches. */
export function softwareKey(origin: string, { checksHolder = true } = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const id = randomBytes(32)
  const rpIdHash = sha256(new URL(origin).hostname)
  const cose = Buffer.concat([
    Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
    bytes(Buffer.from(x, 'base64url')),
    Buffer.from([0x22]),
    bytes(Buffer.from(y, 'base64url')),
  ])
  const flags = present | (checksHolder ? verified : 0)
  const clientData = (type: string, challenge: string) => Buffer.from(JSON.stringify({ type, challenge, origin }))
  const credential = (response: Record<string, string>) => ({
    id: url64(id),
    rawId: url64(id),
    type: 'public-key',
    clientExtensionResults: {},
    response,
  })
  return {
    register: (challenge: string) => {
      const length = Buffer.from([0, id.length])
      const counter = Buffer.alloc(4)
      // Registration always claims a check: what is tested is whether signing in without one is noticed.
      const head = Buffer.from([present | verified | attested])
      const authData = Buffer.concat([rpIdHash, head, counter, Buffer.alloc(16), length, id, cose])
      const attestation = Buffer.concat([
        Buffer.from([0xa3]),
        text('fmt'),
        text('none'),
        text('attStmt'),
        Buffer.from([0xa0]),
        text('authData'),
        bytes(authData),
      ])
      const clientDataJSON = url64(clientData('webauthn.create', challenge))
      return credential({ clientDataJSON, attestationObject: url64(attestation) })
    },
    signIn: (challenge: string) => {
      const authData = Buffer.concat([rpIdHash, Buffer.from([flags]), Buffer.from([0, 0, 0, 1])])
      const data = clientData('webauthn.get', challenge)
      const signature = sign('sha256', Buffer.concat([authData, sha256(data)]), privateKey)
      return credential({
        clientDataJSON: url64(data),
        authenticatorData: url64(authData),
        signature: url64(signature),
      })
    },
  }
}
