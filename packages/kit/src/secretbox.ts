import { createCipheriv, createDecipheriv } from 'node:crypto'
import { CodedError } from './errors.ts'
import { type Random, secureRandom } from './random.ts'

/** Encryption at rest: AES-256-GCM, authenticated together with what the secret belongs to. */
export interface SecretBox {
  /** `aad` names the owner, such as table, column and row id: sealed text moved to another row does not open. */
  seal(plain: string, aad: string): Buffer
  /** Throws when the bytes, the key or `aad` are not those of `seal`; the message tells nothing of the content. */
  open(sealed: Uint8Array, aad: string): string
  /** Which key sealed it, to find what a rotation still has to seal anew. Null when it is nothing we sealed. */
  keyId(sealed: Uint8Array): string | null
}

export type SecretBoxKey = { readonly id: string; readonly key: Uint8Array }

const cipher = 'aes-256-gcm'
const version = 1
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const keyIdPattern = /^[A-Za-z0-9_-]{1,32}$/

/** Layout: version (1), length of key id (1), key id, nonce (12), tag (16), ciphertext. The head is authenticated. */
type Parts = { head: Buffer; keyId: string; nonce: Buffer; tag: Buffer; text: Buffer }

function split(sealed: Uint8Array): Parts | null {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const headEnd = 2 + (bytes[1] ?? 0)
  const tagEnd = headEnd + nonceBytes + tagBytes
  if (bytes[0] !== version || bytes.length < tagEnd) return null
  return {
    head: bytes.subarray(0, headEnd),
    keyId: bytes.toString('latin1', 2, headEnd),
    nonce: bytes.subarray(headEnd, headEnd + nonceBytes),
    tag: bytes.subarray(headEnd + nonceBytes, tagEnd),
    text: bytes.subarray(tagEnd),
  }
}

const bound = (head: Buffer, aad: string): Buffer => Buffer.concat([head, Buffer.from(aad)])

/** The first key seals, all keys open. Throws `secret_weak` unless every key has 32 bytes and its own id. */
export function createSecretBox(keys: readonly SecretBoxKey[], random: Random = secureRandom): SecretBox {
  const [first] = keys
  const byId = new Map(keys.map((k) => [k.id, k.key]))
  const usable = keys.every((k) => k.key.length === keyBytes && keyIdPattern.test(k.id))
  if (first === undefined || !usable || byId.size !== keys.length)
    throw new CodedError('secret_weak', 'Encryption keys need 32 bytes each and ids of their own.')
  const head = Buffer.concat([Buffer.from([version, first.id.length]), Buffer.from(first.id)])

  return {
    seal(plain, aad) {
      const nonce = random.bytes(nonceBytes)
      const sealing = createCipheriv(cipher, first.key, nonce, { authTagLength: tagBytes }).setAAD(bound(head, aad))
      const text = Buffer.concat([sealing.update(plain, 'utf8'), sealing.final()])
      return Buffer.concat([head, nonce, sealing.getAuthTag(), text])
    },
    open(sealed, aad) {
      const parts = split(sealed)
      const key = parts === null ? undefined : byId.get(parts.keyId)
      if (parts === null || key === undefined) throw new Error('sealed with a key this program does not hold')
      const opening = createDecipheriv(cipher, key, parts.nonce, { authTagLength: tagBytes })
        .setAAD(bound(parts.head, aad))
        .setAuthTag(parts.tag)
      return Buffer.concat([opening.update(parts.text), opening.final()]).toString('utf8')
    },
    keyId: (sealed) => split(sealed)?.keyId ?? null,
  }
}
