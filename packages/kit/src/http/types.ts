/** One outbound request. Nothing in Bursar calls another system except through an `Http`. */
export type HttpRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** For the whole exchange, connect to last byte. Default 15,000. */
  readonly timeoutMs?: number
  /** A longer answer is refused as `too_large`. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** How many times in all; more than one only where repeating is harmless. Default 1. */
  readonly attempts?: number
}

export type HttpResponse = {
  readonly status: number
  /** Names in lower case; repeated headers joined with ", ". */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly durationMs: number
}

/** No answer. `maybeSent` says that the other side may have received and done it: look before trying again. */
export type HttpFailure = {
  readonly kind: 'timeout' | 'refused' | 'reset' | 'dns' | 'tls' | 'blocked' | 'too_large' | 'invalid'
  readonly message: string
  readonly maybeSent: boolean
  readonly durationMs: number
}

export type HttpOutcome =
  | { readonly ok: true; readonly response: HttpResponse }
  | { readonly ok: false; readonly failure: HttpFailure }

/** Never throws for what the network does; throws only for a bug in the caller. Never follows redirects. */
export type Http = (request: HttpRequest) => Promise<HttpOutcome>
