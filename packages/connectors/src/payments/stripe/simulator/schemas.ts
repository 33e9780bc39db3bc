import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import generated from '../schemas.generated.json' with { type: 'json' }
import type { Form } from './form.ts'
import { Refusal } from './world.ts'

export type Operation = keyof typeof generated.requests

/** The SDK version the schemas were made from; a test compares it with the one installed. */
export const schemaSdkVersion: string = generated.stripe

const compiled = new Map<Operation, ValidateFunction>()

function validator(operation: Operation): ValidateFunction {
  const known = compiled.get(operation)
  if (known !== undefined) return known
  // Form fields are text: "2" is a number and "true" a boolean where the schema says so.
  // Compiled once and used little: without inlining and optimizing the largest takes 0.12 s instead of 0.45.
  const ajv = new Ajv({
    coerceTypes: true,
    strict: false,
    validateSchema: false,
    inlineRefs: false,
    code: { optimize: false },
  })
  const made = ajv.compile(generated.requests[operation])
  compiled.set(operation, made)
  return made
}

/** `/line_items/0/price` → `line_items[0][price]`. */
function paramOf(error: ErrorObject): string {
  const path = error.instancePath.split('/').slice(1)
  const extra =
    error.keyword === 'additionalProperties'
      ? [String(error.params.additionalProperty)]
      : error.keyword === 'required'
        ? [String(error.params.missingProperty)]
        : []
  const [first = '', ...rest] = [...path, ...extra]
  return first + rest.map((part) => `[${part}]`).join('')
}

function refusal(error: ErrorObject): Refusal {
  const param = paramOf(error)
  switch (error.keyword) {
    case 'additionalProperties':
      return new Refusal(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param })
    case 'required':
      return new Refusal(`Missing required param: ${param}.`, { code: 'parameter_missing', param })
    case 'type':
      return new Refusal(`Invalid ${String(error.params.type)}: ${param}`, { code: 'parameter_invalid', param })
    default:
      return new Refusal(`Invalid ${param}: ${error.message ?? 'not an allowed value'}`, { param })
  }
}

/**
 * Holds a request against the SDK's own type of its parameters. Returns it with text turned into numbers and
 * booleans; throws Stripe's refusal for an unknown, missing or wrong parameter.
 */
export function check(operation: Operation, form: Form): Form {
  const validate = validator(operation)
  if (validate(form)) return form
  // With unions ajv reports every branch; the deepest complaint is the one a person would name.
  const errors = [...(validate.errors ?? [])].filter((error) => error.keyword !== 'anyOf')
  const worst = errors.sort((a, b) => rank(b) - rank(a))[0]
  throw worst === undefined ? new Refusal('Invalid request.') : refusal(worst)
}

const rank = (error: ErrorObject): number =>
  (error.keyword === 'additionalProperties' ? 1_000 : 0) + error.instancePath.split('/').length
