import type { BursarEvent } from '../../src/types.ts'

document.querySelector('bursar-checkout')?.addEventListener('paymentSuccess', (event: BursarEvent) => {
  const news = document.querySelector('#news')
  if (news !== null) news.textContent = `Paid: ${event.detail.orderRef}`
})
