import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Given } from './args.ts'
import { type CliDeps, UsageError } from './types.ts'

export type Target = { readonly url: string; readonly key: string | null }

export const defaultUrl = 'http://127.0.0.1:8787'

/**
 * Which hub, and with which key. An address and a key come from the same place: a folder someone sent you must not
 * get your key sent to an address of its choice.
 */
export async function findTarget(given: Given, deps: Pick<CliDeps, 'env' | 'cwd'>): Promise<Target> {
  const environment = fromEnvironment(deps.env)
  const file = await fromRunFile(deps)
  const base = environment ?? file ?? { url: defaultUrl, key: null }
  const url = given.url ?? base.url
  const origin = originOf(url)
  // An address typed by hand takes the environment's key; the run file's key belongs to the run file's address.
  const known = given.url === null || environment !== null || originOf(base.url) === origin ? base.key : null
  return { url: origin, key: given.key ?? known }
}

function fromEnvironment(env: CliDeps['env']): Target | null {
  const url = env.BURSAR_URL || null
  const key = env.BURSAR_KEY || null
  return url === null && key === null ? null : { url: url ?? defaultUrl, key }
}

/** A running demo leaves its address and key in its data folder. */
async function fromRunFile(deps: Pick<CliDeps, 'env' | 'cwd'>): Promise<Target | null> {
  const file = path.resolve(deps.cwd, deps.env.BURSAR_DATA || '.bursar', 'run.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new UsageError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}.`)
  }
  const { url, key } = readRun(text)
  if (typeof url !== 'string') throw new UsageError(`${file} names no hub.`, 'Start the hub again, or give --url.')
  return { url, key: typeof key === 'string' ? key : null }
}

function readRun(text: string): { url?: unknown; key?: unknown } {
  try {
    return JSON.parse(text) as { url?: unknown; key?: unknown }
  } catch {
    // Half-written by a process that died: the caller says that it names no hub.
    return {}
  }
}

function originOf(url: string): string {
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new UsageError(`${url} is not the address of a hub.`, 'An address looks like https://hub.example.com.')
  }
  return parsed.origin
}
