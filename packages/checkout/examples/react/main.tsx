import { useState } from 'react'
import { createRoot } from 'react-dom/client'
import { BursarCheckout } from '../../src/react.ts'

function Course() {
  const [news, setNews] = useState('')
  return (
    <>
      <h1>Sourdough basics</h1>
      <BursarCheckout
        organization="harbour"
        prices={['price_1']}
        onPaymentSuccess={(event) => setNews(`Paid: ${event.detail.orderRef}`)}
      />
      <p id="news">{news}</p>
    </>
  )
}

const root = document.querySelector('#root')
if (root !== null) createRoot(root).render(<Course />)
