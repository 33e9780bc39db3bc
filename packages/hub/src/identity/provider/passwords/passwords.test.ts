import assert from 'node:assert/strict'
import { argon2Sync, pbkdf2Sync, scryptSync } from 'node:crypto'
import { test } from 'node:test'
import { hmacSha384 } from '@bursar/kit/signature/hmac.ts'
import bcrypt from 'bcryptjs'
import { checkPassword, hashPassword, isOutdated } from './passwords.ts'
import { phpass } from './phpass.ts'
import { roundsMax, sha512Crypt } from './sha512-crypt.ts'

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')

// "Unix crypt using SHA-256 and SHA-512", section 5: setting, password, result.
const drepper = [
  [
    '$6$saltstring',
    'Hello world!',
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ],
  [
    '$6$rounds=10000$saltstringsaltstring',
    'Hello world!',
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
  ],
  [
    '$6$rounds=5000$toolongsaltstring',
    'This is just a test',
    '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0',
  ],
  [
    '$6$rounds=1400$anotherlongsaltstring',
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
  ],
  [
    '$6$rounds=77777$short',
    'we have a short salt string but not a short password',
    '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
  ],
] as const

const dummyHash = '.'.repeat(86)

test('sha512-crypt computes the published vectors', async () => {
  for (const [setting, password, result] of drepper)
    assert.equal(await sha512Crypt(password, `${setting}$${dummyHash}`), result)
})

test('phpass computes the published vector', () => {
  assert.equal(phpass('test12345', '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0'), '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0')
})

const password = 'correct horse Ünïcode'

const stored: Record<string, () => string | Promise<string>> = {
  'bcrypt $2b$': () => bcrypt.hash(password, 4),
  'bcrypt $2a$': async () => (await bcrypt.hash(password, 4)).replace('$2b$', '$2a$'),
  'bcrypt $2y$': async () => (await bcrypt.hash(password, 4)).replace('$2b$', '$2y$'),
  'WordPress $wp$2y$': async () => {
    const short = hmacSha384('wp-sha384', password).toString('base64')
    return `$wp${(await bcrypt.hash(short, 4)).replace('$2b$', '$2y$')}`
  },
  'argon2id of another cost': () => {
    const nonce = Buffer.from('0123456789abcdef')
    const cost = { memory: 4096, passes: 3, parallelism: 1, tagLength: 32 }
    const hash = argon2Sync('argon2id', { message: password, nonce, ...cost })
    return `$argon2id$v=19$m=4096,t=3,p=1$${unpadded(nonce)}$${unpadded(hash)}`
  },
  'PBKDF2 of Django': () =>
    `pbkdf2_sha256$1000$salty$${pbkdf2Sync(password, 'salty', 1000, 32, 'sha256').toString('base64')}`,
  'PBKDF2 in PHC form': () => {
    const salt = Buffer.from('0123456789abcdef')
    return `$pbkdf2-sha512$i=1000,l=64$${unpadded(salt)}$${unpadded(pbkdf2Sync(password, salt, 1000, 64, 'sha512'))}`
  },
  'scrypt in PHC form': () => {
    const salt = Buffer.from('0123456789abcdef')
    const hash = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 })
    return `$scrypt$ln=10,r=8,p=1$${unpadded(salt)}$${unpadded(hash)}`
  },
  'scrypt of better-auth': () => {
    const salt = '00112233445566778899aabbccddeeff'
    const cost = { N: 16_384, r: 16, p: 1, maxmem: 2 ** 26 }
    return `${salt}:${scryptSync(password.normalize('NFKC'), salt, 64, cost).toString('hex')}`
  },
  'sha512-crypt $6$': async () => (await sha512Crypt(password, `$6$rounds=1000$salt$${dummyHash}`)) ?? '',
  'phpass $P$': () => phpass(password, `$P$9saltsalt${'.'.repeat(22)}`) ?? '',
}

for (const [name, make] of Object.entries(stored))
  test(`I12: ${name} knows the right password and refuses a wrong one`, async () => {
    const hash = await make()
    assert.deepEqual(
      [await checkPassword(hash, password), await checkPassword(hash, `${password}x`), await checkPassword(hash, '')],
      ['right', 'wrong', 'wrong'],
      hash,
    )
  })

test('I12: an unknown format, or one that asks for too much work, is unknown and not wrong', async () => {
  const dear = `$6$rounds=${roundsMax + 1}$salt$${dummyHash}`
  const forged = (await hashPassword(password)).replace('m=19456', 'm=9999999')
  for (const hash of ['', 'plain', '{SSHA}abc', '$5$salt$x', 'md5:abc', '$2b$31$', dear, forged, '400$8$2d$salt$hash'])
    assert.equal(await checkPassword(hash, password), 'unknown', hash)
})

test('only argon2id of today’s cost is up to date', async () => {
  assert.equal(isOutdated(await hashPassword(password)), false)
  assert.equal(isOutdated('$argon2id$v=19$m=4096,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g'), true)
})
