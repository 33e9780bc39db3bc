import type { Ada } from './idor-ada-testing.ts'

type Inputs = readonly Readonly<Record<string, unknown>>[]

const reason = 'Because I say so'

const shopPlans = ({ orders, one }: Ada): Record<string, Inputs> => {
  const order = Object.values(orders).map((orderId) => ({ orderId }))
  const connections = [{ connectionId: one.school }, { connectionId: one.payments }]
  return {
    'alerts.list': [{}],
    'cases.get': [{ caseId: one.case }],
    'cases.list': [{}, { orderId: orders.disputed }],
    'cases.resolve': [{ caseId: one.case, resolution: 'move', reason }],
    'claims.list': order,
    'clients.list': [{}],
    'clients.register': [{ name: 'Mine', kind: 'public', redirectUris: ['https://evil.example/callback'] }],
    'clients.register_service': [{ name: 'Mine', scopes: ['orders:read'] }],
    'clients.remove': [{ clientId: one.client }],
    'connections.capabilities': connections,
    'connections.create': [
      {
        platform: 'stripe',
        name: 'Mine',
        config: { secretKey: 'sk_test_mine', livemode: false },
        webhookSecret: 'whsec_mine_0123456789abcdef01234567',
      },
    ],
    'connections.get': connections,
    'connections.list': [{}, { after: one.school }],
    'connections.pause': connections,
    'connections.probe': connections,
    'connections.resume': connections,
    'connections.rotate_secret': connections.map((it) => ({ ...it, secret: 'whsec_mine_0123456789abcdef01234567' })),
    'connections.update': connections.map((it) => ({ ...it, name: 'Mine now' })),
    'courses.import': [{ connectionId: one.school }],
    'courses.list': [{}, { connectionId: one.school }, { search: 'Sourdough' }],
    'courses.save': [{ connectionId: one.school, kind: 'course', externalId: 'sourdough-basics', title: 'Mine' }],
  }
}

const peoplePlans = ({ ada, orders, one, session, annToken }: Ada): Record<string, Inputs> => {
  const email = ada.email
  return {
    'enrollments.accept_account': [{ enrollmentId: one.enrollment, reason }],
    'enrollments.explain': [{ enrollmentId: one.enrollment }],
    'enrollments.failures': [{}, { connectionId: one.school }],
    'enrollments.fix_account': [{ enrollmentId: one.enrollment, email: 'mallory@rival.example' }],
    'enrollments.list': [{}, { email }, { connectionId: one.school }],
    'enrollments.retry': [{ enrollmentId: one.enrollment }, { connectionId: one.school }],
    'entitlements.grant': [
      { personId: ada.personId, courseId: one.course, reason },
      { email: 'mallory@rival.example', courseId: one.course, reason },
    ],
    'entitlements.list': [{ personId: ada.personId }, { email }, { courseId: one.course }, { orderId: orders.own }],
    'entitlements.revoke': [{ entitlementId: one.entitlement, reason }],
    'events.get': [{ eventId: one.event }],
    'events.list': [{}, { externalId: session }],
    'events.replay': [{ eventId: one.event }, { externalId: session }],
    'events.stats': [{}],
    'issuers.add': [{ issuer: 'https://idp.rival.example', name: 'Mine' }],
    'issuers.check': [{ issuerId: one.issuer }],
    'issuers.list': [{}, { after: one.issuer }],
    'issuers.remove': [{ issuerId: one.issuer }],
    'issuers.update': [{ issuerId: one.issuer, trustsEmail: false, name: 'Mine' }],
    'keys.create': [{ name: 'More', scopes: ['*'] }],
    'keys.list': [{}, { after: one.key }],
    'keys.revoke': [{ keyId: one.key }],
    'launch.mint_link': [{ enrollmentId: one.enrollment }],
    'launch.mint_own': [{ enrollmentId: one.enrollment }],
    'mail.status': [{}],
    'me.download_export': [{ requestId: one.privacy }],
    'me.get': [{}],
    'me.link_identity': [{ token: annToken.replace(/.{4}$/, 'AAAA') }],
    'me.request_erase': [{ confirm: 'erase' }],
    'me.request_export': [{}],
    'me.unlink_identity': [{ issuer: 'http://127.0.0.1/auth', subject: one.user }],
    'metadata.map': [{ connectionId: one.payments, key: 'course', value: 'x', productId: one.product }],
  }
}

const orderPlans = ({ addresses, ada, zoe, orders, one, price, session, payment }: Ada): Record<string, Inputs> => {
  const order = Object.values(orders).map((orderId) => ({ orderId }))
  const email = ada.email
  return {
    'orders.assign_seat': [{ orderId: orders.own, lineId: one.line, email: 'mallory@rival.example' }],
    'orders.attribute_refund': [
      { orderId: orders.refunded, refundId: one.refund, lines: [{ lineId: one.refundLine, amount: '500' }] },
    ],
    'orders.create_checkout': [
      {
        lines: [{ priceId: price }],
        connectionId: one.payments,
        successUrl: 'https://shop.example/thanks',
        cancelUrl: 'https://shop.example/cart',
      },
    ],
    'orders.get': order,
    'orders.issues': [{}],
    'orders.list': [{}, ...addresses.map((address) => ({ email: address })), { after: orders.refunded }],
    'orders.refund': [{ orderId: orders.own, reason }],
    'orders.resend_claim_link': [{ orderId: orders.unclaimed }],
    'orders.resettle': order,
    'orders.transfer': [
      { orderId: orders.unclaimed, email: 'mallory@rival.example', reason },
      { orderId: orders.own, personId: ada.personId, reason },
    ],
    'organizations.create': [{ name: 'More', slug: 'more' }],
    'organizations.get': [{}],
    'organizations.list': [{}],
    'organizations.update': [{ name: 'Renamed' }],
    'origins.add': [{ origin: 'https://evil.example' }],
    'origins.list': [{}],
    'origins.remove': [{ origin: 'https://shop.alder.example' }],
    'people.change_email': [{ personId: ada.personId, email: 'mallory2@rival.example', reason }],
    'people.download_export': [{ requestId: one.privacy }],
    'people.erase': [{ personId: ada.personId, reason }],
    'people.export': [{ personId: ada.personId, reason }],
    'people.get': [{ personId: ada.personId }],
    'people.list': [{}, { personId: ada.personId }, ...addresses.map((address) => ({ email: address }))],
    'people.merge': [{ fromPersonId: ada.personId, personId: zoe.personId, reason }],
    'people.set_payee': [{ personId: ada.personId, payee: false, reason }],
    'people.unlink_identity': [{ personId: ada.personId, issuer: 'http://127.0.0.1/auth', subject: one.user, reason }],
    'prices.list': [{}, { connectionId: one.payments }, { productId: one.product }],
    'prices.map': [{ connectionId: one.payments, priceId: price, productId: one.product }],
    'privacy.complete_step': [{ requestId: one.privacy, position: 1, outcome: 'done', evidence: reason }],
    'privacy.get': [{ requestId: one.privacy }],
    'privacy.list': [{}, { personId: ada.personId }],
    'products.create': [{ name: 'Mine', courseIds: [one.course] }],
    'products.list': [{}, { after: one.product }],
    'products.publish': [{ productId: one.product, courseIds: [one.course] }],
    'purchases.claim_mailbox': [{}],
    'purchases.list': [{}, { after: orders.refunded }],
    'roles.grant': [{ personId: ada.personId, role: 'owner', reason }],
    'roles.list': [{}, { personId: ada.personId }],
    'roles.revoke': [{ personId: ada.personId, role: 'payee', reason }],
    'seats.list': [{}, { after: one.enrollment }],
    'timeline.get': [
      { orderId: orders.own },
      { enrollmentId: one.enrollment },
      { email },
      { externalId: session },
      { externalId: payment },
    ],
  }
}

/**
 * What to ask of each action with the ids of Ada's things. An action without a line here fails the test: whoever adds
 * one says how somebody else would try it.
 */
export const plansOf = (it: Ada): Record<string, Inputs> => ({
  ...shopPlans(it),
  ...peoplePlans(it),
  ...orderPlans(it),
})
