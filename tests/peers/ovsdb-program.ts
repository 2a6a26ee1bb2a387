import { join } from 'node:path'
import { build } from 'esbuild'

/** Bundles our database server into a folder; returns the path of the program. */
export async function buildServer(dir: string): Promise<string> {
  const program = join(dir, 'ovsdb-server.mjs')
  await build({
    entryPoints: ['src/daemons/ovsdb-server.ts'],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi'],
    logLevel: 'error',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
  return program
}
