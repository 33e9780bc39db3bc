import type { Failure } from '../../../failure.ts'
import type { ProbeFinding, ProbeReport } from '../../port.ts'
import type { Context } from './context.ts'

const fixes: Readonly<Record<string, string>> = {
  'learnworlds.access_denied': 'Copy the client id and a current token or secret from Settings > Developers > API.',
  'learnworlds.credentials_refused': 'Copy the client id and the secret from Settings > Developers > API.',
  'learnworlds.forbidden': 'The API needs the Learning Center plan or a higher one.',
  'learnworlds.not_json': 'Use the address under which the school is opened, and the client id, not the domain.',
  'learnworlds.redirected': 'Use the address the school redirects to as the base URL.',
  'learnworlds.address_refused': 'Use the public https address of the school.',
}

const problem = (failure: Failure, what: string): ProbeFinding => ({
  code: failure.code,
  level: 'problem',
  message: `${what}: ${failure.message}`,
  fix: fixes[failure.code] ?? 'Try again later; if it stays, look into the call log of this connection.',
})

const fine = (code: string, message: string): ProbeFinding => ({ code, level: 'ok', message, fix: null })

/** Two calls, three with a token to fetch: may we read courses, and may we read users. */
export async function probe(context: Context): Promise<ProbeReport> {
  const { client, settings } = context
  const findings: ProbeFinding[] = []
  if (!/^[0-9a-f]{24}$/i.test(settings.clientId))
    findings.push({
      code: 'learnworlds.client_id_unusual',
      level: 'warning',
      message: 'A client id has 24 hexadecimal digits; this one has not.',
      fix: 'Copy it from Settings > Developers > API. It is not the domain.',
    })
  const courses = await client.catalog.pageCourses()
  if (!courses.ok) return { usable: false, findings: [...findings, problem(courses.failure, 'Courses cannot be read')] }
  const { totalItems } = courses.value
  findings.push(fine('learnworlds.courses', `Courses can be read; the school has ${totalItems}.`))
  if (totalItems === 0)
    findings.push({
      code: 'learnworlds.no_courses',
      level: 'warning',
      message: 'The school has no course yet, so nothing can be sold.',
      fix: 'Create a course in LearnWorlds, then read the catalog again.',
    })
  const users = await client.users.page({}, { itemsPerPage: 1 })
  if (!users.ok) return { usable: false, findings: [...findings, problem(users.failure, 'Users cannot be read')] }
  findings.push(fine('learnworlds.users', `Users can be read; the school has ${users.value.totalItems}.`))
  return { usable: true, findings }
}
