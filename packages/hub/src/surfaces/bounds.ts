/** How much one caller may ask of the HTTP door. */
export type Limits = {
  readonly bodyBytesMax: number
  /** Requests with one key. */
  readonly requestsPerMinute: number
  /** Failed authentications from one address; above it, keys are not even looked at. */
  readonly failuresPerMinute: number
}

export const defaultLimits: Limits = { bodyBytesMax: 1024 * 1024, requestsPerMinute: 3_000, failuresPerMinute: 30 }
