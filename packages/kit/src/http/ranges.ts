import { BlockList, isIPv4, isIPv6 } from 'node:net'

// Not the public internet: this host, private nets, link-local (cloud metadata), carrier NAT, benchmarks,
// documentation, multicast, reserved. Source: IANA special-purpose registries.
const blockedV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
] as const

// `::/96`, `::ffff:0:0:0/96`, 64:ff9b, 2001::/32 and 2002::/16 carry an IPv4 address inside: a tunnel or translator
// would lead to a private host. `::ffff:0:0/96` (mapped) is missing on purpose: BlockList applies the IPv4 rows to it.
const blockedV6 = [
  '::/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
] as const

export const blockedRanges: readonly string[] = [...blockedV4, ...blockedV6]

const forbidden = new BlockList()
for (const range of blockedRanges) {
  const [net = '', bits = ''] = range.split('/')
  forbidden.addSubnet(net, Number(bits), isIPv4(net) ? 'ipv4' : 'ipv6')
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const within = (list: BlockList, address: string): boolean =>
  isIPv4(address) ? list.check(address, 'ipv4') : isIPv6(address) && list.check(address, 'ipv6')

/** True for every address outside the public internet, and for text that is no address at all. */
export const isForbiddenAddress = (address: string): boolean =>
  (!isIPv4(address) && !isIPv6(address)) || within(forbidden, address)

export const isLoopbackAddress = (address: string): boolean => within(loopback, address)
