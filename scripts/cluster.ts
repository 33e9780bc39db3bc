import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startEmbedded } from '../packages/hub/src/db/embedded.ts'

/** Gives `work` a database server and a folder; both are gone afterwards. */
export async function withCluster<T>(work: (url: string, folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bursar-test-run-'))
  try {
    // As root the server runs as another user. One that cannot walk in would keep its data elsewhere, and leave it.
    await chmod(folder, 0o711)
    const cluster = await startEmbedded({ folder, unsafe: true })
    try {
      return await work(cluster.url, folder)
    } finally {
      await cluster.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
