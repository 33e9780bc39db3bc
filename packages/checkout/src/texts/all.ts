import { englishAccount } from './account.ts'
import { englishAfter } from './after.ts'
import { englishDiffers } from './differs.ts'
import { englishGift } from './gift.ts'
import { englishPay } from './pay.ts'
import { englishSignIn } from './sign-in.ts'
import { englishWays } from './ways.ts'

/** Everything people read in the frame, in English. Each step's words are a file of their own and load with the step. */
export const english = {
  ...englishPay,
  ...englishSignIn,
  ...englishAfter,
  ...englishGift,
  ...englishWays,
  ...englishDiffers,
  ...englishAccount,
} as const

export type Texts = { readonly [K in keyof typeof english]: string }
